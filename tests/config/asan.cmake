# AddressSanitizer and UndefinedBehaviorSanitizer on the static libraries and the unit tests.
set(CMAKE_BUILD_TYPE None CACHE STRING "")
set(CMAKE_C_FLAGS "-O1 -g" CACHE STRING "")
set(PREDICOMP_SANITIZE address,undefined CACHE STRING "")
