# Debian packages: `cpack -G DEB` in a build folder makes
#
#   libtenure0     the shared library of the C ABI
#   libtenure-dev  headers, static libraries, and what find_package and pkg-config read
#   tenure         the program
#
# Of the whole build, plug-ins for libraries that Debian has not are left out.
set(library libtenure${PROJECT_VERSION_MAJOR})
set(CPACK_PACKAGE_NAME tenure)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGE_CONTACT "The maintainers of Tenure <maintainers@tenure.invalid>")
set(CPACK_COMPONENTS_ALL runtime dev)
if(TENURE_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/strip_archives.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${library})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtenure-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${library} (= ${PROJECT_VERSION}), zlib1g-dev")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME tenure)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION devel)
include(CPack)
