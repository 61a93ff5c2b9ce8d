# soma_embed_files(target BASE <folder> FILES <paths…>): a library whose `embedded/<target>.hpp`
# gives each file as bytes of the program. The assembler reads the files (.incbin), so their size
# costs no compile time, and each changed file is built in again.
#
#   #include "embedded/soma_embedded_schemas.hpp"
#   std::string_view text = soma::embedded::find_soma_embedded_schemas("requests/login.schema.json");
# An unknown name gives an empty view with a null pointer. Names are paths below BASE.
#
# soma_embed(target name file): one file, as `extern const std::string_view soma::embedded::<name>`
# defined in `target`. Not for use in other static initializers.
enable_language(ASM)

function(soma_embed target name file)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  file(CONFIGURE OUTPUT ${folder}/${name}.S @ONLY CONTENT
".section .rodata
.global soma_embedded_${name}
.global soma_embedded_${name}_size
.balign 8
soma_embedded_${name}_size:
.quad 2f - 1f
soma_embedded_${name}:
1:
.incbin \"${file}\"
2:
.byte 0
.section .note.GNU-stack,\"\",@progbits
")
  file(CONFIGURE OUTPUT ${folder}/${name}.cpp @ONLY CONTENT
"#include <cstddef>
#include <string_view>
extern \"C\" const char soma_embedded_${name}[];
extern \"C\" const std::size_t soma_embedded_${name}_size;
namespace soma::embedded {
extern const std::string_view ${name};
const std::string_view ${name}(soma_embedded_${name}, soma_embedded_${name}_size);
}
")
  target_sources(${target} PRIVATE ${folder}/${name}.S ${folder}/${name}.cpp)
  set_source_files_properties(${folder}/${name}.S PROPERTIES OBJECT_DEPENDS "${file}")
  set_source_files_properties(${folder}/${name}.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()

function(soma_embed_files target)
  cmake_parse_arguments(A "" "BASE" "FILES" ${ARGN})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target})
  set(assembly ".section .rodata\n")
  set(externs "")
  set(rows "")
  set(index 0)
  foreach(file ${A_FILES})
    file(RELATIVE_PATH name ${A_BASE} ${file})
    set(symbol ${target}_${index})
    string(APPEND assembly
      ".global ${symbol}_begin\n.global ${symbol}_end\n.balign 16\n"
      "${symbol}_begin:\n.incbin \"${file}\"\n${symbol}_end:\n.byte 0\n")
    string(APPEND externs "extern \"C\" const char ${symbol}_begin[], ${symbol}_end[];\n")
    string(APPEND rows "    {\"${name}\", ${symbol}_begin, ${symbol}_end},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND assembly ".section .note.GNU-stack,\"\",@progbits\n")
  file(CONFIGURE OUTPUT ${folder}/${target}.S CONTENT "${assembly}" @ONLY)
  file(CONFIGURE OUTPUT ${folder}/include/embedded/${target}.hpp @ONLY CONTENT
"#pragma once
#include <span>
#include <string_view>
namespace soma::embedded {
struct ${target}_file { std::string_view name, text; };
std::span<const ${target}_file> ${target}_files();
std::string_view find_${target}(std::string_view name);
}
")
  file(CONFIGURE OUTPUT ${folder}/${target}.cpp @ONLY CONTENT
"#include \"embedded/${target}.hpp\"
#include <array>
${externs}
namespace soma::embedded {
namespace {
struct raw { const char* name; const char* begin; const char* end; };
const raw raws[] = {
${rows}};
}
std::span<const ${target}_file> ${target}_files() {
  static const auto files = [] {
    std::array<${target}_file, sizeof raws / sizeof *raws> all;
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = {raws[i].name, {raws[i].begin, static_cast<std::size_t>(raws[i].end - raws[i].begin)}};
    return all;
  }();
  return files;
}
std::string_view find_${target}(std::string_view name) {
  for (const auto& file : ${target}_files())
    if (file.name == name) return file.text;
  return {};
}
}
")
  add_library(${target} STATIC ${folder}/${target}.S ${folder}/${target}.cpp)
  set_source_files_properties(${folder}/${target}.S PROPERTIES OBJECT_DEPENDS "${A_FILES}")
  target_include_directories(${target} PUBLIC ${folder}/include)
endfunction()
