#include "tools/builtin/page_text.hpp"

#include <iconv.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "core/utf8.hpp"

namespace soma::tools {
namespace {

// Browsers look as far for what a page says of itself.
constexpr std::size_t looked_at_bytes = 1024;

// A name of the web, and iconv's. No others: some of iconv's own have ended programs that gave them
// bytes of strangers.
constexpr std::pair<std::string_view, const char*> encodings[] = {{"utf-8", "UTF-8"},
                                                                  {"utf8", "UTF-8"},
                                                                  {"us-ascii", "CP1252"},
                                                                  {"ascii", "CP1252"},
                                                                  {"iso-8859-1", "CP1252"},
                                                                  {"latin1", "CP1252"},
                                                                  {"windows-1252", "CP1252"},
                                                                  {"cp1252", "CP1252"},
                                                                  {"iso-8859-15", "ISO-8859-15"},
                                                                  {"iso-8859-2", "ISO-8859-2"},
                                                                  {"iso-8859-5", "ISO-8859-5"},
                                                                  {"iso-8859-7", "ISO-8859-7"},
                                                                  {"iso-8859-9", "CP1254"},
                                                                  {"windows-1250", "CP1250"},
                                                                  {"windows-1251", "CP1251"},
                                                                  {"windows-1253", "CP1253"},
                                                                  {"windows-1254", "CP1254"},
                                                                  {"windows-1255", "CP1255"},
                                                                  {"windows-1256", "CP1256"},
                                                                  {"windows-1257", "CP1257"},
                                                                  {"windows-1258", "CP1258"},
                                                                  {"koi8-r", "KOI8-R"},
                                                                  {"koi8-u", "KOI8-U"},
                                                                  {"gb2312", "GB18030"},
                                                                  {"gbk", "GB18030"},
                                                                  {"gb18030", "GB18030"},
                                                                  {"big5", "BIG5-HKSCS"},
                                                                  {"shift_jis", "CP932"},
                                                                  {"sjis", "CP932"},
                                                                  {"x-sjis", "CP932"},
                                                                  {"euc-jp", "EUC-JP"},
                                                                  {"euc-kr", "CP949"},
                                                                  {"ks_c_5601-1987", "CP949"},
                                                                  {"utf-16le", "UTF-16LE"},
                                                                  {"utf-16be", "UTF-16BE"},
                                                                  {"utf-16", "UTF-16LE"}};

const char* known(std::string_view label) {
  std::string name;
  for (const unsigned char c : label) name += static_cast<char>(std::tolower(c));
  for (const auto& [of_web, of_iconv] : encodings)
    if (name == of_web) return of_iconv;
  return nullptr;
}

bool same_letters(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

// The word behind `name`, blanks and an equals sign, perhaps in quotes; empty where there is none.
std::string_view word_after(std::string_view text, std::string_view name) {
  for (auto from = text.begin();;) {
    const auto at = std::search(from, text.end(), name.begin(), name.end(), same_letters);
    if (at == text.end()) return {};
    auto rest = text.substr(static_cast<std::size_t>(at - text.begin()) + name.size());
    from = at + 1;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (!rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n\"'"), rest.size()));
    return rest.substr(0, rest.find_first_of(" \t\r\n\"';>/?"));
  }
}

std::string converted(std::string_view bytes, const char* from) {
  const auto conversion = iconv_open("UTF-8", from);
  if (conversion == reinterpret_cast<iconv_t>(-1)) return std::string(bytes);
  std::string out;
  char buffer[8192];
  char* in = const_cast<char*>(bytes.data());
  std::size_t left = bytes.size();
  while (left > 0) {
    char* to = buffer;
    std::size_t room = sizeof buffer;
    const auto done = iconv(conversion, &in, &left, &to, &room);
    out.append(buffer, sizeof buffer - room);
    if (done != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
    if (errno == EINVAL) break;  // cut within a character
    out += "\xef\xbf\xbd";
    ++in;
    --left;
  }
  iconv_close(conversion);
  return out;
}

// Valid sequences beyond ASCII, and bytes that are of none.
struct utf8_signs {
  std::size_t valid = 0, invalid = 0;
};
utf8_signs look(std::string_view bytes) {
  utf8_signs out;
  while (!bytes.empty()) {
    const auto length = utf8_sequence_length(bytes);
    if (length == 0 && utf8_complete_prefix(bytes) == 0) break;  // cut within a character
    if (length == 0) ++out.invalid;
    if (length > 1) ++out.valid;
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace

std::string page_text(std::string bytes, std::string_view content_type) {
  if (bytes.starts_with("\xef\xbb\xbf")) return bytes.substr(3);
  if (bytes.starts_with("\xff\xfe"))
    return converted(std::string_view(bytes).substr(2), "UTF-16LE");
  if (bytes.starts_with("\xfe\xff"))
    return converted(std::string_view(bytes).substr(2), "UTF-16BE");
  const auto* encoding = known(word_after(content_type, "charset"));
  const auto begin = std::string_view(bytes).substr(0, looked_at_bytes);
  const auto first = begin.substr(std::min(begin.find_first_not_of(" \t\r\n"), begin.size()));
  const bool markup = first.starts_with('<');
  if (markup) {
    auto said = first.starts_with("<?xml")
                    ? word_after(first.substr(0, first.find('>')), "encoding")
                    : word_after(first, "charset");
    if (!encoding) encoding = known(said);
    const auto at = static_cast<std::size_t>(said.data() - bytes.data());
    // Bytes that were read as a label are of ASCII, so they are not UTF-16.
    if (!said.empty() && encoding && std::string_view(encoding).starts_with("UTF-16"))
      encoding = "UTF-8";
    if (!said.empty() && known(said)) bytes.replace(at, said.size(), "utf-8");
  }
  const auto signs = look(bytes);
  const bool one_byte = encoding == nullptr || std::string_view(encoding) == "CP1252" ||
                        std::string_view(encoding) == "UTF-8";
  // Servers say Latin-1 of whatever they have; what reads as UTF-8 is.
  if (one_byte && (signs.invalid == 0 || signs.valid >= signs.invalid)) return bytes;
  const bool is_text = encoding || content_type.starts_with("text/") || markup;
  if (!is_text || bytes.find('\0') != std::string::npos)
    return encoding && !one_byte ? converted(bytes, encoding) : bytes;
  return converted(bytes, one_byte ? "CP1252" : encoding);
}

}  // namespace soma::tools
