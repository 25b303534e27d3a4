#!/usr/bin/env bash
# openjdk: objects, arrays, direct buffers and threads, checked after they got cold; the heap is collected,
# grows, shrinks and is compiled for meanwhile.
. "$(dirname "$0")/../real/real.bash" "$@"
needs java
mkdir "$scratch/java"
cat >"$scratch/java/Cold.java" <<'JAVA'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;

public class Cold {
	record User(int id, String name, long[] values) {}

	static User user(int i) {
		long[] v = new long[8 + i % 8];
		for (int k = 0; k < v.length; k++)
			v[k] = (long) i * 7919 + k;
		return new User(i, "user-" + i, v);
	}

	static long digest(Map<Integer, User> users) {
		long sum = 0;
		for (int i = 0; i < users.size(); i++) {
			User u = users.get(i);
			if (u.id() != i || !u.name().equals("user-" + i))
				throw new IllegalStateException("user " + i);
			for (long x : u.values())
				sum = sum * 31 + x;
		}
		return sum;
	}

	public static void main(String[] arguments) throws Exception {
		Map<Integer, User> users = new HashMap<>();
		for (int i = 0; i < 150000; i++)
			users.put(i, user(i));
		ByteBuffer direct = ByteBuffer.allocateDirect(16 << 20);
		while (direct.hasRemaining())
			direct.put((byte) (direct.position() >> 12));
		Thread.sleep(1200);
		System.out.println(digest(users));
		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Long>> sums = new ArrayList<>();
		for (int n = 1; n <= 8; n++) {
			final int size = n * 5000;
			sums.add(pool.submit(() -> {
				Map<Integer, User> mine = new HashMap<>();
				for (int i = 0; i < size; i++)
					mine.put(i, user(i));
				Thread.sleep(300);
				return digest(mine);
			}));
		}
		for (Future<Long> s : sums)
			System.out.println(s.get());
		pool.shutdown();
		System.gc();
		Thread.sleep(1000);
		System.out.println(digest(users));
		for (int i = 0; i < direct.capacity(); i++)
			if (direct.get(i) != (byte) (i >> 12))
				throw new IllegalStateException("direct " + i);
		System.exit(5);
	}
}
JAVA
(cd "$scratch/java" && javac Cold.java) >"$scratch/javac" 2>&1 ||
	skip 'no Java compiler: apt-get install default-jdk-headless'
for collector in G1 Serial; do
	echo "-XX:+Use${collector}GC"
	same 2000 java -Xms32m -Xmx256m "-XX:+Use${collector}GC" -cp "$scratch/java" Cold
done
