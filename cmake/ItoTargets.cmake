# Compile options every target of the project shares.
function(ito_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow
                                           $<$<BOOL:${ITO_WERROR}>:-Werror>)
  if(ITO_SANITIZE)
    # Checks of every access take half of the time to compile; AddressSanitizer looks at the same ones.
    target_compile_options(${target} PRIVATE -fsanitize=${ITO_SANITIZE} -fno-sanitize-recover=all
      -fno-omit-frame-pointer -fno-sanitize=null,alignment,object-size,vptr,pointer-overflow)
    target_link_options(${target} PUBLIC -fsanitize=${ITO_SANITIZE})
  endif()
endfunction()
