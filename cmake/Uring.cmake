# Looks for the header of liburing 2.3 or later, for the driver on io_uring: sets BRIGADE_HAVE_URING.
# The library itself is loaded when a runtime starts, if it is there.
set(BRIGADE_URING "auto" CACHE STRING "Use io_uring: auto, on or off")
set_property(CACHE BRIGADE_URING PROPERTY STRINGS auto on off)
string(TOLOWER "${BRIGADE_URING}" wanted)
if(NOT wanted MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "BRIGADE_URING is '${BRIGADE_URING}': auto, on or off")
endif()

set(BRIGADE_HAVE_URING OFF)
if(NOT wanted STREQUAL "off")
  include(CheckSourceCompiles)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
  check_source_compiles(C "#include <liburing.h>
    int f(struct io_uring *r) {
      return r->ring_fd + (int)IORING_SETUP_COOP_TASKRUN + (int)IORING_ASYNC_CANCEL_FD +
             io_uring_enter2(0, 0, 0, 0, 0, 0);
    }" BRIGADE_URING_HEADER)
  unset(CMAKE_REQUIRED_DEFINITIONS)
  unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
  if(BRIGADE_URING_HEADER)
    set(BRIGADE_HAVE_URING ON)
  elseif(wanted STREQUAL "on")
    message(FATAL_ERROR "liburing 2.3 was not found (Debian: apt-get install liburing-dev)")
  endif()
endif()
