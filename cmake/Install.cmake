# Installs the libraries, the headers, a CMake package (find_package(brigade), with TLS
# find_package(brigade COMPONENTS tls)), brigade.pc and brigade-tls.pc.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/brigade)

install(TARGETS ${brigade_targets} EXPORT brigadeTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "brigade/tls.h" EXCLUDE)
install(EXPORT brigadeTargets NAMESPACE brigade:: DESTINATION ${package_dir})

if(BRIGADE_HAVE_TLS)
  install(TARGETS ${brigade_tls_targets} EXPORT brigadeTlsTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${PROJECT_SOURCE_DIR}/include/brigade/tls.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/brigade)
  install(EXPORT brigadeTlsTargets NAMESPACE brigade:: DESTINATION ${package_dir})
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/brigadeConfig.cmake.in
  ${PROJECT_BINARY_DIR}/brigadeConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/brigadeConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/brigadeConfig.cmake
  ${PROJECT_BINARY_DIR}/brigadeConfigVersion.cmake DESTINATION ${package_dir})

foreach(dir IN ITEMS LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(pc_${dir} "${CMAKE_INSTALL_${dir}}")
  else()
    set(pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/brigade.pc.in ${PROJECT_BINARY_DIR}/brigade.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/brigade.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(BRIGADE_HAVE_TLS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/brigade-tls.pc.in
    ${PROJECT_BINARY_DIR}/brigade-tls.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/brigade-tls.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
