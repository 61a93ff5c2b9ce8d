# What makes a fault of memory harder to use, in what people run: protected stacks, checked calls of the C
# library, programs that are loaded anywhere, relocations that nobody can write, marks for the processor's own checks of
# jumps. Builds that look for faults have sanitizers in place of it. tests/integration/hardening_test.py looks.
# Debian's compilers make programs position independent by themselves.
include(CheckCXXCompilerFlag)
set(hardening -fstack-protector-strong -fstack-clash-protection)
check_cxx_compiler_flag(-fcf-protection has_cf_protection)
if(has_cf_protection)
  list(APPEND hardening -fcf-protection)
endif()
foreach(flag ${hardening} -D_FORTIFY_SOURCE=2)
  add_compile_options($<$<CONFIG:Release>:${flag}>)
endforeach()
add_link_options($<$<CONFIG:Release>:LINKER:-z,relro,-z,now,-z,noexecstack>)
