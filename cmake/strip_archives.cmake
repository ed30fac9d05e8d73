# Run by cpack: what it strips by itself are programs and shared libraries. Static ones of a build with
# debug information are ten times as large as what is linked from them.
file(GLOB_RECURSE archives ${CPACK_TEMPORARY_DIRECTORY}/*.a)
if(archives)
  execute_process(COMMAND strip --strip-debug ${archives} COMMAND_ERROR_IS_FATAL ANY)
endif()
