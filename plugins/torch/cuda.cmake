# libtenure_torch_cuda.so: what PyTorch's pluggable allocator of CUDA memory loads by its path. It needs
# no header of PyTorch's, and holds the whole library but for CUDA's runtime.
#
# Why CUDA's shared runtime, where all else links the static one: that has 12 KiB of thread-local memory,
# and a library that is loaded late finds room for some hundred bytes of what may be used in a signal
# handler, as ours may.
set(rooms tenure_core tenure_default_backend tenure_cuda tenure_host tenure_kernels)
list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archives)
add_library(tenure_torch_cuda SHARED ${CMAKE_CURRENT_LIST_DIR}/cuda_allocator.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cuda_pools.cpp)
tenure_flags(tenure_torch_cuda)
target_include_directories(tenure_torch_cuda PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(tenure_torch_cuda PRIVATE
  -Wl,--start-group ${archives} -Wl,--end-group CUDA::cudart ZLIB::ZLIB Threads::Threads)
target_link_options(tenure_torch_cuda PRIVATE LINKER:--exclude-libs,ALL LINKER:-z,defs)
set_target_properties(tenure_torch_cuda PROPERTIES LINK_DEPENDS "${archives}"
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
add_dependencies(tenure_torch_cuda ${rooms})
install(TARGETS tenure_torch_cuda DESTINATION ${CMAKE_INSTALL_LIBDIR})
