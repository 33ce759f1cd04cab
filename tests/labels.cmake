# Read by ctest after the tests are listed: gives each its labels.
#   unit       quick
#   slow       a second or more
#   cuda       the CUDA engine, emulated
#   sanitized  also runs under AddressSanitizer and UndefinedBehaviorSanitizer
#   stress     the long loops of programs that compete and are killed; has no other label
#   repeat     the emulated CUDA engine once more, in a precision that differs in arithmetic alone; likewise

# Slow tests take too long under sanitizers. Emulated kernels run there in one precision, over the model
# table, every size and checkpoints of stored states; slow tests of the reference engine, whose code quicker
# ones run too, stay out.
set(slow "Slow|Order|Precision.*/cuda|BatchSplit.*/cuda|NonFinite.*/cuda|CudaSolvers.Give|Gradients.Are"
  "CudaTangents|CudaGradientMethods|CudaInputs|GridRows.*/cuda|CudaGridRows|GridsOfObservations")
string(JOIN "|" slow ${slow})
string(JOIN "|" plain "Slow" "Order" "cuda64" "cuda_fast" "InFast"
  "(Textbook|EverySize|Detach|BatchSplit|Girsanov|EngineNoise|NonFinite|Geometric|ZeroDiff).*/cuda$"
  "Checkpoint.*(LongPaths|Limit|Steps)/(cuda|reference)" "Detach.*/reference" "Girsanov.Weights"
  "CudaSolvers.(Give|Are)" "CudaTangents|Tangents.Are.*/cuda|CudaGradientMethods|CudaInputs|/Size.*/cuda|CudaTapeOn" "SolverEngines.*/reference" "Adjoint.Converges"
  "Warpgroups.*/(hidden|first|mlp)" "SharedUnitsOf.*/(hidden|mlp|deep|output|context_(a|w|open))|SharedUnits[.]"
  "SharedUnitsOf.*cuda_fast" "WideNets" "SmallNets.GiveTheHosts" "IndependentParts" "ClosesMost" "KernelHeaders" "Vocabulary" "AverageOfAShort"
  "GridRows.*/cuda_(drift|mixing|general|wide_0|affine|layered|fast)|CudaGridRows[.]|CudaGridRowsOn"
  "SmallIncrement|LinearChain|BrownianPrior|RecordingsOfEveryMethod|Checkpoint.GivesTheBitsOfStoredStates/cuda")

set(repeat "(BatchSplit|NonFinite|Detach|Size|Checkpoint|Girsanov).*/cuda64$|(EverySize|CudaTangents.*)/cuda_fast$"
  "CudaTangents[.].*/cuda64$|CudaSizes.AreWithinTheStatedErrorInFast|CudaGradientMethods.Pathwise"
  "Warpgroups.*/(hidden_si|mlp_constant_rect|first)|SharedUnitsOf.*/(hidden_silu|deep_general|output|context_(a|w))")
string(JOIN "|" repeat ${repeat})

foreach(suite IN ITEMS model engine cuda inference cuda_training io lab cli simt)
  foreach(test IN LISTS ${suite}_tests_TESTS)
    if(test MATCHES "Stress$")
      set_tests_properties("${test}" PROPERTIES LABELS stress TIMEOUT 3600)
      continue()
    endif()
    if(test MATCHES "${repeat}")
      set_tests_properties("${test}" PROPERTIES LABELS repeat)
      continue()
    endif()
    set(labels unit)
    if(test MATCHES "${slow}")
      set(labels slow)
    endif()
    if(suite MATCHES "cuda|simt" OR test MATCHES "/cuda|Cuda")
      list(APPEND labels cuda)
    endif()
    if(NOT test MATCHES "${plain}")
      list(APPEND labels sanitized)
    endif()
    set_tests_properties("${test}" PROPERTIES LABELS "${labels}")
    if(test MATCHES "${slow}|Tangents.*/cuda|Models/Adjoint|CudaSizes|Contest|Study")
      set_tests_properties("${test}" PROPERTIES COST 10)  # first, so that no core waits for them at the end
    endif()
  endforeach()
endforeach()
