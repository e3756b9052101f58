# Looks for the header of c-ares, which resolves names of hosts without a thread: sets
# BRIGADE_HAVE_ARES. The library itself is loaded when a program first needs it, if it is there.
set(BRIGADE_ARES "auto" CACHE STRING "Use c-ares: auto, on or off")
set_property(CACHE BRIGADE_ARES PROPERTY STRINGS auto on off)
string(TOLOWER "${BRIGADE_ARES}" wanted)
if(NOT wanted MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "BRIGADE_ARES is '${BRIGADE_ARES}': auto, on or off")
endif()

set(BRIGADE_HAVE_ARES OFF)
if(NOT wanted STREQUAL "off")
  include(CheckSourceCompiles)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  check_source_compiles(C "#include <ares.h>
    #if ARES_VERSION < 0x011200
    #error
    #endif" BRIGADE_ARES_HEADER)
  unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
  if(BRIGADE_ARES_HEADER)
    set(BRIGADE_HAVE_ARES ON)
  elseif(wanted STREQUAL "on")
    message(FATAL_ERROR "c-ares 1.18 was not found (Debian: apt-get install libc-ares-dev)")
  endif()
endif()
