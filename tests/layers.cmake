# cmake -DROOT=<source tree> -P layers.cmake: fails where a file includes against the direction of the
# layers.

cmake_minimum_required(VERSION 3.25)

# From the bottom up: besides itself and the public headers, a folder includes what stands beside it.
# Kernels on the host take their vocabulary from tests/simt.
set(kernels    simt)
set(model      kernels)
set(io         model)
set(engine     kernels model)
set(reference  kernels model engine)
set(cpu        kernels model engine)
set(cuda       kernels io model engine)
set(inference  kernels io model engine)
set(cuda_training kernels model engine cuda inference)
set(plan       model engine reference cpu cuda inference cuda_training)
set(study      inference)
set(cli        io model inference study)

set(violations "")

function(check_folder folder path)
  string(JOIN "|" allowed ito ${folder} ${${folder}})
  file(GLOB_RECURSE files RELATIVE "${ROOT}" "${path}/*.hpp" "${path}/*.cpp" "${path}/*.cuh")
  foreach(file IN LISTS files)
    file(STRINGS "${ROOT}/${file}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*\"")
    foreach(include IN LISTS includes)
      string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*" "\\1" target "${include}")
      if(NOT target MATCHES "^(${allowed})/")
        list(APPEND violations "${file} includes \"${target}\", which is none of ${allowed}")
      endif()
    endforeach()
  endforeach()
  set(violations "${violations}" PARENT_SCOPE)
endfunction()

# Public headers include the standard library and each other.
file(GLOB headers RELATIVE "${ROOT}" "${ROOT}/include/ito/*")
foreach(header IN LISTS headers)
  file(STRINGS "${ROOT}/${header}" includes REGEX "^[ \t]*#[ \t]*include")
  foreach(include IN LISTS includes)
    if(NOT include MATCHES "^#include <([a-z_0-9]+|ito/[a-z_]+\\.hpp)>")
      string(REGEX REPLACE "^[ \t]*#[ \t]*include[ \t]*" "" target "${include}")
      list(APPEND violations "${header} includes ${target}, not of the standard library or <ito/...>")
    endif()
  endforeach()
endforeach()

file(GLOB folders RELATIVE "${ROOT}/src" "${ROOT}/src/*")
foreach(folder IN LISTS folders)
  if(IS_DIRECTORY "${ROOT}/src/${folder}")
    if(NOT DEFINED ${folder})
      list(APPEND violations "src/${folder} is not in the table of tests/layers.cmake")
    endif()
    check_folder(${folder} "${ROOT}/src/${folder}")
  endif()
endforeach()
check_folder(kernels "${ROOT}/kernels")

if(violations)
  list(JOIN violations "\n  " text)
  message(FATAL_ERROR "Includes against the direction of the layers:\n  ${text}")
endif()
