# No optimisation, expensive assertions: cmake -C tests/config/debug.cmake -S . -B build-debug
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(PREDICOMP_CHECKS ON CACHE BOOL "")
