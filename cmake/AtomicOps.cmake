# Finds libatomic_ops, of which only the headers are used: sets BRIGADE_ATOMIC_OPS_INCLUDE_DIR.
#
# Its headers are the same for every architecture, but a cross compiler does not look where the
# host's lie, and must not be shown all that lies beside them: they are copied to a folder of
# their own.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND AND NOT CMAKE_CROSSCOMPILING)
  pkg_check_modules(ATOMIC_OPS QUIET atomic_ops)
endif()
find_path(BRIGADE_ATOMIC_OPS_INCLUDE_DIR atomic_ops.h HINTS ${ATOMIC_OPS_INCLUDE_DIRS})
mark_as_advanced(BRIGADE_ATOMIC_OPS_INCLUDE_DIR)

if(NOT BRIGADE_ATOMIC_OPS_INCLUDE_DIR AND CMAKE_CROSSCOMPILING)
  find_path(BRIGADE_HOST_ATOMIC_OPS atomic_ops.h PATHS /usr/include /usr/local/include
    NO_CMAKE_FIND_ROOT_PATH)
  mark_as_advanced(BRIGADE_HOST_ATOMIC_OPS)
  if(BRIGADE_HOST_ATOMIC_OPS)
    set(copied ${PROJECT_BINARY_DIR}/atomic_ops-headers)
    file(COPY ${BRIGADE_HOST_ATOMIC_OPS}/atomic_ops.h ${BRIGADE_HOST_ATOMIC_OPS}/atomic_ops
      DESTINATION ${copied})
    set(BRIGADE_ATOMIC_OPS_INCLUDE_DIR ${copied})
  endif()
endif()
if(NOT BRIGADE_ATOMIC_OPS_INCLUDE_DIR)
  message(FATAL_ERROR "atomic_ops.h was not found: install libatomic_ops "
    "(Debian: apt-get install libatomic-ops-dev)")
endif()
