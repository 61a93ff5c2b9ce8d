#include <doctest/doctest.h>

#include "core/utf8.hpp"
#include "files/file_type.hpp"

using namespace soma::files;
using namespace std::string_literals;

TEST_CASE("file type: it is told from the bytes, whatever is claimed") {
  CHECK(file_type_of("%PDF-1.7\n%\xe2\xe3\n", "image/png") == "application/pdf");
  CHECK(file_type_of("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0"s, "text/plain") ==
        "image/png");
  CHECK(file_type_of("<!DOCTYPE html><html><script>alert(1)</script>", "text/plain") ==
        "text/html");
  CHECK(file_type_of("\x7f"
                     "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0\1\0\0\0"s,
                     "image/png")
            .starts_with("application/x-"));
  CHECK(file_type_of("") == "text/plain");
  CHECK(file_type_of("\0\1\2\3"s) == "application/octet-stream");
}

TEST_CASE(
    "file type: a kind of text that bytes do not tell is taken from the claim, and no other") {
  CHECK(file_type_of("hello there", "text/csv") == "text/csv");
  CHECK(file_type_of("hello there", "text/markdown; charset=utf-8") == "text/markdown");
  CHECK(file_type_of("hello there", "text/html") == "text/plain");
  CHECK(file_type_of("hello there", "image/svg+xml") == "text/plain");
  CHECK(file_type_of("hello there", "text/csv\r\nX: y") == "text/plain");
}

TEST_CASE("file type: patterns take a type or every one of a kind") {
  CHECK(type_matches({"*/*"}, "a/b"));
  CHECK(type_matches({"text/*"}, "text/csv"));
  CHECK_FALSE(type_matches({"text/*"}, "texts/csv"));
  CHECK(type_matches({"image/png", "text/csv"}, "text/csv"));
  CHECK_FALSE(type_matches({}, "text/csv"));
}

TEST_CASE("file name: no name leaves its folder, hides itself or cheats its reader") {
  CHECK(safe_filename("../../etc/passwd") == "passwd");
  CHECK(safe_filename("C:\\users\\me\\a.txt") == "a.txt");
  CHECK(safe_filename("..") == "file");
  CHECK(safe_filename("") == "file");
  CHECK(safe_filename("...hidden. ") == "hidden");
  CHECK(safe_filename("a\r\nSet-Cookie: x") == "aSet-Cookie: x");
  CHECK(safe_filename("a\0b"s) == "ab");
  CHECK(safe_filename("gpj.\xe2\x80\xae"
                      "exe") == "gpj.exe");
  CHECK(safe_filename("caf\xe9.txt") == "caf_.txt");
  CHECK(safe_filename("caf\xc3\xa9.txt") == "caf\xc3\xa9.txt");
  const auto cut = safe_filename(std::string(300, '\xc3') + "x");
  CHECK(cut.size() <= 200);
  std::string accents;
  for (int i = 0; i < 300; ++i) accents += "\xc3\xa9";
  const auto long_name = safe_filename(accents + ".tar.gz");
  CHECK(long_name.size() <= 200);
  CHECK(long_name.ends_with(".gz"));
  CHECK(soma::utf8_valid(long_name));
}
