# Finds hwloc, which tells which CPUs are near each other: sets BRIGADE_HAVE_HWLOC. Optional.
set(BRIGADE_HWLOC "auto" CACHE STRING "Use hwloc: auto, on or off")
set_property(CACHE BRIGADE_HWLOC PROPERTY STRINGS auto on off)
string(TOLOWER "${BRIGADE_HWLOC}" wanted)
if(NOT wanted MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "BRIGADE_HWLOC is '${BRIGADE_HWLOC}': auto, on or off")
endif()

set(BRIGADE_HAVE_HWLOC OFF)
if(NOT wanted STREQUAL "off")
  include(CheckSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES hwloc)
  set(CMAKE_REQUIRED_QUIET ON)
  # hwloc_topology_set_all_types_filter: version 2.
  check_source_compiles(C "#include <hwloc.h>
    int main(void) { return hwloc_topology_set_all_types_filter(0, HWLOC_TYPE_FILTER_KEEP_NONE); }"
    BRIGADE_HWLOC_LINKS)
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_QUIET)
  if(BRIGADE_HWLOC_LINKS)
    set(BRIGADE_HAVE_HWLOC ON)
  elseif(wanted STREQUAL "on")
    message(FATAL_ERROR "hwloc 2 was not found (Debian: apt-get install libhwloc-dev)")
  endif()
endif()
