# Looks for the header of hwloc 2, which tells which CPUs are near each other: sets
# BRIGADE_HAVE_HWLOC. The library itself is loaded when a program first needs it, if it is there.
set(BRIGADE_HWLOC "auto" CACHE STRING "Use hwloc: auto, on or off")
set_property(CACHE BRIGADE_HWLOC PROPERTY STRINGS auto on off)
string(TOLOWER "${BRIGADE_HWLOC}" wanted)
if(NOT wanted MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "BRIGADE_HWLOC is '${BRIGADE_HWLOC}': auto, on or off")
endif()

set(BRIGADE_HAVE_HWLOC OFF)
if(NOT wanted STREQUAL "off")
  include(CheckSourceCompiles)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  check_source_compiles(C "#include <hwloc.h>
    #if HWLOC_API_VERSION < 0x20000
    #error
    #endif" BRIGADE_HWLOC_HEADER)
  unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
  if(BRIGADE_HWLOC_HEADER)
    set(BRIGADE_HAVE_HWLOC ON)
  elseif(wanted STREQUAL "on")
    message(FATAL_ERROR "hwloc 2 was not found (Debian: apt-get install libhwloc-dev)")
  endif()
endif()
