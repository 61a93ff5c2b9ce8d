// Text as it is, whatever its encoding; and what an image says about itself.
#include <iconv.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <string>

#include "core/utf8.hpp"
#include "extract/extract.hpp"

namespace soma::extract {
namespace {

std::string converted(std::string_view bytes, const char* from, std::size_t bytes_max) {
  const auto conversion = iconv_open("UTF-8//TRANSLIT", from);
  if (conversion == reinterpret_cast<iconv_t>(-1)) return std::string(bytes);
  std::string out;
  char buffer[8192];
  char* in = const_cast<char*>(bytes.data());
  std::size_t left = bytes.size();
  while (left > 0 && out.size() <= bytes_max) {
    char* to = buffer;
    std::size_t room = sizeof buffer;
    const auto done = iconv(conversion, &in, &left, &to, &room);
    out.append(buffer, sizeof buffer - room);
    if (done != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
    if (left == 0) break;
    out += "\xef\xbf\xbd";
    ++in;
    --left;
  }
  iconv_close(conversion);
  return out;
}

// UTF-8 where it is that, else what a mark at its start says, else what Windows writes.
const char* encoding_of(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe")) return "UTF-16LE";
  if (bytes.starts_with("\xfe\xff")) return "UTF-16BE";
  auto looked_at = bytes.substr(0, 1 << 20);
  if (looked_at.size() < bytes.size())
    looked_at = looked_at.substr(0, utf8_complete_prefix(looked_at));
  if (utf8_valid(looked_at)) return nullptr;
  return "WINDOWS-1252";
}

// -1 where no number of at most nine digits begins there.
std::int64_t number_at(const std::string& text, std::size_t at) {
  std::int64_t value = -1;
  for (int digits = 0; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]));
       ++at) {
    if (++digits > 9) return -1;
    value = std::max<std::int64_t>(0, value) * 10 + (text[at] - '0');
  }
  return value;
}

std::int64_t number_before(const std::string& text, std::size_t end) {
  auto at = end;
  while (at > 0 && std::isdigit(static_cast<unsigned char>(text[at - 1]))) --at;
  return number_at(text, at);
}

}  // namespace

void read_plain(const document& from, text_sink& to, metadata& about) {
  auto bytes = from.bytes;
  const char* encoding = encoding_of(bytes);
  about.texts["encoding"] = encoding ? encoding : "UTF-8";
  about.numbers["lines"] = std::count(bytes.begin(), bytes.end(), '\n') +
                           (!bytes.empty() && bytes.back() != '\n' ? 1 : 0);
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  if (!encoding) return to.add(bytes);
  if (encoding[0] == 'U') bytes.remove_prefix(2);
  to.add(converted(bytes, encoding, 1 << 26));
}

// libmagic has read the numbers already: "PNG image data, 640 x 480, 8-bit/color RGB". The last
// pair counts, since JPEG's density, which looks the same, comes before.
void read_image(const document&, const std::string& description, metadata& about) {
  about.texts["description"] = description;
  for (std::size_t at = description.find('x'); at != std::string::npos;
       at = description.find('x', at + 1)) {
    const bool spaced = at > 0 && description[at - 1] == ' ';
    const auto before = number_before(description, spaced ? at - 1 : at);
    const auto after = number_at(description, spaced ? at + 2 : at + 1);
    if (before < 0 || after < 0) continue;
    about.numbers["width"] = before;
    about.numbers["height"] = after;
  }
}

}  // namespace soma::extract
