# soma_library, soma_executable, soma_test: one flag set and one shape for every target.

option(SOMA_WERROR "treat warnings in our own code as errors" ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header makes ccache miss unless it is told that the header's time does not matter.
  # Paths are taken from the source folder, so that one clone has the use of what another compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

function(soma_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wnon-virtual-dtor
                         -Woverloaded-virtual -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's coroutine frames pair their own operator new and delete; inlined, g++ 12 sees a mismatch.
    target_compile_options(${target} PRIVATE -Wno-mismatched-new-delete)
    # Beside a sanitizer's checks it takes what an empty optional does not hold for read.
    if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND CMAKE_CXX_FLAGS_DEBUG MATCHES "-fsanitize")
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  endif()
  if(SOMA_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  target_compile_definitions(${target} PRIVATE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
                             BOOST_BEAST_SEPARATE_COMPILATION)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND SOMA_PCH)
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
endfunction()

# soma_library(core SOURCES a.cpp … DEPS soma::x … PRIVATE_DEPS … PCH <header> …)
function(soma_library name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;PRIVATE_DEPS;PCH" ${ARGN})
  add_library(soma_${name} STATIC ${A_SOURCES})
  add_library(soma::${name} ALIAS soma_${name})
  target_include_directories(soma_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(soma_${name} PUBLIC ${A_DEPS} PRIVATE ${A_PRIVATE_DEPS})
  soma_flags(soma_${name})
  if(A_PCH)
    target_precompile_headers(soma_${name} PRIVATE ${A_PCH})
  endif()
endfunction()

# soma_executable(soma SOURCES … DEPS …)
function(soma_executable name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${A_DEPS})
  soma_flags(${name})
endfunction()

# soma_test(core_tests SOURCES … DEPS … [ARGS …] [LABELS …] [TIMEOUT s]): a doctest program run by ctest.
function(soma_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;DEPS;ARGS;LABELS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${A_DEPS} soma_test_main)
  soma_flags(${name})
  add_test(NAME ${name} COMMAND ${name} ${A_ARGS})
  if(A_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}")
  endif()
  if(A_TIMEOUT)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT})
  endif()
endfunction()
