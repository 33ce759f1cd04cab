# cmake -DNM=<nm> "-DOBJECTS=<object>;…" -DISA=<instruction set> -P isa_symbols.cmake: fails where the loops
# of an instruction set define something that the linker may take for the whole program (a weak symbol)
# whose name does not say ito::cpu::ISA.

cmake_minimum_required(VERSION 3.25)

foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --demangle --defined-only ${object} OUTPUT_VARIABLE symbols
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE ";" "," symbols "${symbols}")
  string(REGEX MATCHALL "[0-9a-f]+ [WVu] [^\n]+" weak "${symbols}")
  list(LENGTH weak count)
  math(EXPR seen "${seen} + ${count}")
  # The compiler's reference to its personality function is data, the same in all objects.
  list(FILTER weak EXCLUDE REGEX "ito::cpu::${ISA}::|DW.ref.__gxx_personality_v0")
  list(APPEND shared ${weak})
endforeach()

if(shared)
  list(JOIN shared "\n  " text)
  message(FATAL_ERROR "Compiled for ${ISA}, and taken for every machine:\n  ${text}")
elseif(NOT seen GREATER 0)
  message(FATAL_ERROR "No weak symbols in ${OBJECTS}")
endif()
