# The few commands every room uses. Nothing here depends on a room's name.

# tenure_find_cuda(): turns TENURE_CUDA into ON or OFF, says why, and readies the CUDA language.
# A macro, because enable_language() is refused inside a function.
macro(tenure_find_cuda)
  if(TENURE_CUDA STREQUAL "AUTO")
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      set(TENURE_CUDA ON)
      message(STATUS "tenure: CUDA on, compiler ${CMAKE_CUDA_COMPILER}")
    else()
      set(TENURE_CUDA OFF)
      message(STATUS "tenure: CUDA off, no CUDA compiler found; cuda/ and kernels/ are left out")
    endif()
  endif()
  if(TENURE_CUDA)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 75 80 90 100)
    endif()
    enable_language(CUDA)
    # CMake before 3.26 cannot ask nvcc for C++20: it stops, or compiles C++17 in silence.
    if(CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA" AND
       NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    find_package(CUDAToolkit REQUIRED)  # link CUDA::cudart_static, never CUDA::cuda_driver
  endif()
endmacro()

# tenure_flags(<target>): the standard, the warnings and the sanitizers every target shares.
function(tenure_flags target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set(warnings -Wall -Wextra -Wshadow -Wconversion -Wundef -Wnon-virtual-dtor)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:${warnings}>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${TENURE_WERROR}>>:-Werror>
    # Why not these: g++ 12 guesses at flow through std::optional and std::function, and a Local is in
    # its mutator's list by its own address, for as long as it is in scope.
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>,$<BOOL:${TENURE_WERROR}>>:
      -Wno-error=maybe-uninitialized;-Wno-error=dangling-pointer>
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>
    # Not where a target's kernels are CUB's: of those some spill a few bytes on some architectures.
    $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<NOT:$<BOOL:$<TARGET_PROPERTY:TENURE_FOREIGN_KERNELS>>>>:
      -Xptxas=-warn-spills>
    $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${TENURE_WERROR}>>:-Werror=all-warnings>)
  # Always a value: with -Wundef a misspelt name is an error, not a silent 0.
  target_compile_definitions(${target} PRIVATE TENURE_VERIFY=$<BOOL:${TENURE_VERIFY}>)
  if(TENURE_SANITIZE)
    # Less than half the time to compile: -O1, lines only (reports still name each frame), and no check
    # before each access for what the address sanitizer, or the page at 0, finds at the access.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1;-g1;
      -fsanitize=${TENURE_SANITIZE};-fno-sanitize=null,vptr,object-size;-fno-omit-frame-pointer>)
    target_link_options(${target} PUBLIC -fsanitize=${TENURE_SANITIZE})
  endif()
endfunction()

# tenure_room(<name> SOURCES ... USES <target>...): one part of the library, as one static library.
function(tenure_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_library(tenure_${name} STATIC ${arg_SOURCES})
  tenure_flags(tenure_${name})
  target_include_directories(tenure_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
    PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(tenure_${name} PUBLIC ${arg_USES})
  set_target_properties(tenure_${name} PROPERTIES
    EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)  # the C ABI's shared library holds them too
  install(TARGETS tenure_${name} EXPORT tenure-targets)
endfunction()

# tenure_test(<path>_test.cpp [SERIAL] LABELS ... USES ...): one program a test file, one ctest case a test.
# Cases are named by the path with dots, so that `ctest -R core.payload` runs one room. SERIAL: beside no
# other case, as it watches who runs beside whom.
function(tenure_test source)
  cmake_parse_arguments(arg "SERIAL" "" "LABELS;USES" ${ARGN})
  string(REGEX REPLACE "_test\\.(cpp|cu)$" "" name ${source})
  string(REPLACE "/" "." name ${name})
  add_executable(${name}_test ${source})
  tenure_flags(${name}_test)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  tenure_rooms_for_tests()
  target_link_libraries(${name}_test PRIVATE tenure_for_tests ${arg_USES} GTest::gtest_main)
  tenure_quick_to_compile(${name}_test)
  if("OpenMP::OpenMP_CXX" IN_LIST arg_USES)  # another language, to a compiled header
    set_target_properties(${name}_test PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
  endif()
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300 RUN_SERIAL "${arg_SERIAL}")
  if("gpu" IN_LIST arg_LABELS)
    tenure_gpu_program(${name} "${arg_LABELS}")
  endif()
endfunction()

# tenure_rooms_for_tests(): the library as tests link it, shared where that can be. Statically each of them
# holds all of it, 100 MB where a sanitizer is on: 130 of them fill a disk, and the linker's time.
# Why not with CUDA: programs are carried to a machine with a device, and some have a runtime of their own.
function(tenure_rooms_for_tests)
  if(TARGET tenure_for_tests)
    return()
  endif()
  if(TENURE_CUDA)
    add_library(tenure_for_tests INTERFACE)
    target_link_libraries(tenure_for_tests INTERFACE tenure::tenure)
    return()
  endif()
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/rooms_for_tests.cpp CONTENT "")
  add_library(tenure_for_tests SHARED ${PROJECT_BINARY_DIR}/rooms_for_tests.cpp)
  tenure_flags(tenure_for_tests)
  set(rooms tenure_core tenure_host tenure_default_backend)
  list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE files)
  # Why by hand: CMake would name each archive as often as the ring needs, and each would be whole.
  target_link_options(tenure_for_tests PRIVATE LINKER:--whole-archive ${files} LINKER:--no-whole-archive)
  set_target_properties(tenure_for_tests PROPERTIES LINK_DEPENDS "${files}")
  add_dependencies(tenure_for_tests ${rooms})
  target_link_libraries(tenure_for_tests PRIVATE ZLIB::ZLIB PUBLIC Threads::Threads)
  target_include_directories(tenure_for_tests INTERFACE ${PROJECT_SOURCE_DIR}/include)
endfunction()

# tenure_quick_to_compile(<target>): what GoogleTest's headers and a debugger's tables cost is most of
# the time that a test takes to build. The headers are compiled once for all tests; lines are enough to
# name each frame; and a test's own accesses are not checked for alignment, as the library's are.
function(tenure_quick_to_compile target)
  if(NOT TARGET tenure_test_headers)
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/test_headers.cpp CONTENT "")
    add_library(tenure_test_headers OBJECT ${PROJECT_BINARY_DIR}/test_headers.cpp)
    tenure_flags(tenure_test_headers)
    tenure_flags_of_tests(tenure_test_headers)
    target_link_libraries(tenure_test_headers PRIVATE tenure::tenure GTest::gmock)
    target_precompile_headers(tenure_test_headers PRIVATE <gtest/gtest.h>)
  endif()
  tenure_flags_of_tests(${target})
  target_precompile_headers(${target} REUSE_FROM tenure_test_headers)
endfunction()
function(tenure_flags_of_tests target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-g1>
    # Why not these: g++ 12 guesses at bounds inside std::string, and tells of it where it no longer knows
    # that the header is the system's. The address sanitizer does not guess.
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:
      -Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>)
  if(TENURE_SANITIZE MATCHES "undefined")
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=alignment,pointer-overflow>)
  endif()
endfunction()

# tenure_gpu_program(<name> <labels>): the program <name>_test is among the checks of a device.
function(tenure_gpu_program name labels)
  tenure_runs_elsewhere(${name}_test)
  set_property(GLOBAL APPEND PROPERTY TENURE_GPU_TESTS ${name})
  if(NOT "long" IN_LIST labels)
    set_property(GLOBAL APPEND PROPERTY TENURE_SMALL_GPU_TESTS ${name})
  endif()
endfunction()

# tenure_runs_elsewhere(<target>): a program that is built here and run where the device is, which may
# have no C++ library of this age.
function(tenure_runs_elsewhere target)
  if(NOT TENURE_SANITIZE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc LINKER:--as-needed)
  endif()
endfunction()

# tenure_write_gpu_checks(<benchmark>): gpu_checks.json in the build folder, from which
# tools/gpu_checks.py takes the programs that need a device, and the target that builds them. Paths are
# the build folder's, so that it may be copied to another machine. Tests labelled `long` are not run
# under compute-sanitizer.
function(tenure_write_gpu_checks bench)
  get_property(tests GLOBAL PROPERTY TENURE_GPU_TESTS)
  get_property(small_tests GLOBAL PROPERTY TENURE_SMALL_GPU_TESTS)
  set(rows)
  set(programs ${bench})
  foreach(name IN LISTS tests)
    set(small false)
    if(name IN_LIST small_tests)
      set(small true)
    endif()
    list(APPEND programs ${name}_test)
    list(APPEND rows "    {\"name\": \"${name}\", \"small\": ${small}, \"program\": \"$<PATH:RELATIVE_PATH,$<TARGET_FILE:${name}_test>,${PROJECT_BINARY_DIR}>\"}")
  endforeach()
  list(JOIN rows ",\n" rows)
  list(JOIN CMAKE_CUDA_ARCHITECTURES " " architectures)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/gpu_checks.json CONTENT
"{
  \"version\": \"${PROJECT_VERSION}\",
  \"architectures\": \"${architectures}\",
  \"bench\": \"$<PATH:RELATIVE_PATH,$<TARGET_FILE:${bench}>,${PROJECT_BINARY_DIR}>\",
  \"tests\": [
${rows}
  ]
}
")
  add_custom_target(gpu_checks DEPENDS ${programs})
endfunction()

# tenure_device_test(kernels/<file>_test.cpp USES ...): a kernel's test as a program for a device. It
# says that it skips where there is none.
function(tenure_device_test source)
  cmake_parse_arguments(arg "" "" "USES" ${ARGN})
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "" name ${name})
  add_executable(device.${name}_test ${source} ${PROJECT_SOURCE_DIR}/tests/cuda/device_memory.cpp)
  tenure_flags(device.${name}_test)
  target_include_directories(device.${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(device.${name}_test PRIVATE tenure::tenure ${arg_USES} GTest::gtest_main)
  gtest_discover_tests(device.${name}_test TEST_PREFIX "device.${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS gpu TIMEOUT 300)
  tenure_gpu_program(device.${name} gpu)
endfunction()

# tenure_link_for_dlopen(<target>): links the whole library into a shared library that programs load
# late, by its path, as Python and PyTorch do.
#
# Why CUDA's shared runtime there, where all else links the static one: that has 12 KiB of thread-local
# memory, and a library that is loaded late finds room for some hundred bytes of what may be used in a
# signal handler, as ours may.
function(tenure_link_for_dlopen target)
  if(NOT TARGET tenure_cuda AND NOT TARGET tenure::cuda)
    target_link_libraries(${target} PRIVATE tenure::tenure)
    return()
  endif()
  set(archives)
  foreach(room core default_backend cuda host kernels)
    if(TARGET tenure_${room})
      add_dependencies(${target} tenure_${room})
      list(APPEND archives $<TARGET_FILE:tenure_${room}>)
    else()
      list(APPEND archives $<TARGET_FILE:tenure::${room}>)
    endif()
  endforeach()
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${archives})
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../include)
  target_link_libraries(${target} PRIVATE
    -Wl,--start-group ${archives} -Wl,--end-group CUDA::cudart ZLIB::ZLIB Threads::Threads)
endfunction()
