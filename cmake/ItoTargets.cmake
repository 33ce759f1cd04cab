# A library of the project: static or shared from the same objects. Visible are the public headers' names.
function(ito_library target)
  ito_compile_options(${target})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON DEFINE_SYMBOL "" CXX_VISIBILITY_PRESET hidden VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exported.map)
  if(BUILD_SHARED_LIBS)
    target_link_options(${target} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exported.map)
  endif()
endfunction()

# Compile options every target of the project shares.
function(ito_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion
                                           $<$<BOOL:${ITO_WERROR}>:-Werror>)
  # Together in a unity build, a name of one file is hidden by a local of another.
  target_compile_options(${target} PRIVATE $<$<NOT:$<BOOL:$<TARGET_PROPERTY:${target},UNITY_BUILD>>>:-Wshadow>)
  if(ITO_SANITIZE)
    # Checks of every access take half of the time to compile; AddressSanitizer looks at the same ones.
    target_compile_options(${target} PRIVATE -fsanitize=${ITO_SANITIZE} -fno-sanitize-recover=all
      -fno-omit-frame-pointer -fno-sanitize=null,alignment,object-size,vptr,pointer-overflow)
    target_link_options(${target} PUBLIC -fsanitize=${ITO_SANITIZE})
  endif()
endfunction()
