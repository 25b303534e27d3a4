# What is shipped: cmake -C tests/config/release.cmake -S . -B build
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
