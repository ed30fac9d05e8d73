# libtenure_torch_cuda.so: what PyTorch's pluggable allocator of CUDA memory loads by its path. It needs
# no header of PyTorch's, and holds the whole library but for CUDA's runtime.
add_library(tenure_torch_cuda SHARED ${CMAKE_CURRENT_LIST_DIR}/cuda_allocator.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cuda_pools.cpp)
tenure_flags(tenure_torch_cuda)
target_include_directories(tenure_torch_cuda PRIVATE ${PROJECT_SOURCE_DIR})
tenure_link_for_dlopen(tenure_torch_cuda)
target_link_options(tenure_torch_cuda PRIVATE LINKER:--exclude-libs,ALL LINKER:-z,defs)
set_target_properties(tenure_torch_cuda PROPERTIES
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
install(TARGETS tenure_torch_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
