"""Everything is packed and nobody touches it: what that costs by the minute."""
import time

from ..registry import bench


def others_share(program, work):
    """CPU of the library's threads while work() lasts, % of one."""
    before, begun = program.others_cpu(), time.monotonic()
    work()
    return (program.others_cpu() - before) / (time.monotonic() - begun) * 100


def idle(session, gib, key):
    mib, seconds = session.size(gib << 10, 128), session.size(30, 3)
    if not session.has_room(mib):
        session.book.note("%d MB packed" % mib, "this machine has too little memory")
        return
    with session.start("predicomp", [session.host("cold_touch"), mib], MAX_CPU="100%") as program:
        program.line()
        program.leave(now=True)
        program.command("set", str(program.pid), "max-cpu=25%")
        again = others_share(program, lambda: program.wait_repacked(most=900))
        session.progress("idle CPU: %d s" % seconds)
        share = others_share(program, lambda: time.sleep(seconds))
        program.check_account()
        program.ask("check")
    session.book.row("%d MB while it is packed again, once" % mib, "%", predicomp=[again])
    session.book.row("background CPU, %d MB packed" % mib, "%", predicomp=[share])
    session.book.reach(key, share)


@bench("4 GB cold and packed: background CPU", quick=True)
def idle_4g(session):
    idle(session, 4, "idle_4g")


@bench("8 GB cold and packed: background CPU")
def idle_8g(session):
    idle(session, 8, "idle_8g")
