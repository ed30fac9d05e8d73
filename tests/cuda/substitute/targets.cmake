# The substitute of the CUDA runtime, and the host code of cuda/ compiled against it. Why objects, and
# not archives: all of the runtime's functions are defined before an archive is looked into, so that
# nothing of the real one is taken.
set(here ${CMAKE_CURRENT_LIST_DIR})
add_library(cuda_substitute OBJECT ${here}/devices.cpp ${here}/mapping.cpp ${here}/memory.cpp
  ${here}/streams.cpp ${here}/world.cpp)
add_library(cuda_on_substitute OBJECT ${TENURE_CUDA_HOST_SOURCES})
foreach(target cuda_substitute cuda_on_substitute)
  tenure_flags(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(${target} SYSTEM PUBLIC ${CUDAToolkit_INCLUDE_DIRS})
endforeach()

add_custom_target(cuda_substitute_tests)

# tenure_substitute_test(<path>_test.cpp): a test of host code of cuda/ over the substitute.
function(tenure_substitute_test source)
  tenure_test(${source} LABELS cuda-substitute USES cuda_on_substitute cuda_substitute)
  string(REGEX REPLACE "\\.cpp$" "" name ${source})
  string(REPLACE "/" "." name ${name})
  # Why the emulator's objects: as an archive they would come behind the kernels that nvcc compiled.
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:tenure_simt>)
  add_dependencies(cuda_substitute_tests ${name})
endfunction()
