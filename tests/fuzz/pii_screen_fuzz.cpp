// Any text, any JSON and any address is looked through; what was taken out of a text is back in it
// to the byte, however it is cut, and nothing that was found is in what goes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "security/pii/screen.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace soma::security::pii;
  const std::string text(reinterpret_cast<const char*>(data), size);
  screen s(true);
  auto sent = text;
  s.text(sent);
  if (s.words()->restore(sent) != text) std::abort();
  restorer back(*s.words());
  std::string got;
  for (const char c : sent) got += back.feed(std::string_view(&c, 1));
  if (got + back.end() != text) std::abort();
  screen whole(true);
  auto json = text, url = text;
  whole.json(json);
  whole.url(url);
  (void)restore_json(*whole.words(), json);
  screen again(false);
  again.url(url);
  if (any(again.found()) && !whole.is_stuck()) std::abort();
  return 0;
}
