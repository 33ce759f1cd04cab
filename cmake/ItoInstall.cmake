# Installs the library, its headers, the program and what find_package(ito) reads.
include(CMakePackageConfigHelpers)

set(ITO_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/ito")

install(TARGETS ito EXPORT itoTargets FILE_SET HEADERS)
if(TARGET ito_lab)
  install(TARGETS ito_lab EXPORT itoTargets FILE_SET HEADERS)
endif()
install(EXPORT itoTargets NAMESPACE ito:: DESTINATION "${ITO_CMAKE_DIR}")

if(TARGET ito_program)
  install(TARGETS ito_program)
endif()

configure_package_config_file(cmake/itoConfig.cmake.in "${PROJECT_BINARY_DIR}/itoConfig.cmake"
                              INSTALL_DESTINATION "${ITO_CMAKE_DIR}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/itoConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/itoConfig.cmake" "${PROJECT_BINARY_DIR}/itoConfigVersion.cmake"
              cmake/Findlibzip.cmake
        DESTINATION "${ITO_CMAKE_DIR}")
