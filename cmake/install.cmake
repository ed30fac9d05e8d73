# What `cmake --install` lays down, and how find_package(tenure) finds it again.
include(CMakePackageConfigHelpers)

install(TARGETS tenure EXPORT tenure-targets FILE_SET HEADERS)
# What nvcc alone reads. Not in the file set, whose headers a C++ compiler takes one by one.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tenure/device
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tenure FILES_MATCHING PATTERN "*.cuh")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tenure/plugins
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tenure FILES_MATCHING REGEX "${TENURE_GUEST_HEADERS}")
install(EXPORT tenure-targets NAMESPACE tenure::
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tenure)
configure_package_config_file(cmake/tenure-config.cmake.in
  ${PROJECT_BINARY_DIR}/tenure-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tenure)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tenure-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/tenure-config.cmake
  ${PROJECT_BINARY_DIR}/tenure-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/tenure)
