# The library brigade_tls (brigade/tls.h), built where OpenSSL 3.0 or later is found: sets
# BRIGADE_HAVE_TLS, and the list brigade_tls_targets.
set(BRIGADE_TLS "auto" CACHE STRING "Build brigade_tls, with OpenSSL: auto, on or off")
set_property(CACHE BRIGADE_TLS PROPERTY STRINGS auto on off)
string(TOLOWER "${BRIGADE_TLS}" wanted)
if(NOT wanted MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "BRIGADE_TLS is '${BRIGADE_TLS}': auto, on or off")
endif()

set(BRIGADE_HAVE_TLS OFF)
set(brigade_tls_targets)
if(NOT wanted STREQUAL "off" AND NOT CMAKE_CROSSCOMPILING) # it would find the host's
  find_package(OpenSSL 3.0 QUIET)
endif()
if(NOT wanted STREQUAL "off" AND OpenSSL_FOUND)
  set(BRIGADE_HAVE_TLS ON)
elseif(wanted STREQUAL "on")
  message(FATAL_ERROR "OpenSSL 3.0 was not found (Debian: apt-get install libssl-dev)")
endif()
if(NOT BRIGADE_HAVE_TLS)
  return()
endif()

file(GLOB brigade_tls_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/tls/*.c)

# It uses brigade's public headers alone.
function(brigade_tls_objects name)
  add_library(${name} OBJECT ${brigade_tls_sources})
  target_link_libraries(${name} PRIVATE brigade_warnings Threads::Threads OpenSSL::SSL)
  target_include_directories(${name} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/lib)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE -Wconversion -fno-lto) # as the library
  set_target_properties(${name} PROPERTIES
    C_STANDARD 11 C_EXTENSIONS ON C_VISIBILITY_PRESET hidden)
endfunction()

function(brigade_tls_library name alias below)
  add_library(brigade::${alias} ALIAS ${name})
  target_link_libraries(${name} PUBLIC ${below} PRIVATE OpenSSL::SSL)
  set_target_properties(${name} PROPERTIES
    OUTPUT_NAME brigade_tls EXPORT_NAME ${alias} LINKER_LANGUAGE C)
endfunction()

brigade_tls_objects(brigade_tls_objects_static)
add_library(brigade_tls_static STATIC $<TARGET_OBJECTS:brigade_tls_objects_static>)
brigade_tls_library(brigade_tls_static tls_static brigade_static)
set(brigade_tls_targets brigade_tls_static)

if(BRIGADE_SHARED)
  brigade_tls_objects(brigade_tls_objects_shared)
  set_target_properties(brigade_tls_objects_shared PROPERTIES POSITION_INDEPENDENT_CODE ON)
  add_library(brigade_tls SHARED $<TARGET_OBJECTS:brigade_tls_objects_shared>)
  set_target_properties(brigade_tls PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  brigade_tls_library(brigade_tls tls brigade)
  list(APPEND brigade_tls_targets brigade_tls)
endif()
