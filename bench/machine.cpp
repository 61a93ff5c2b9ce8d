#include "machine.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "process.hpp"

namespace soma::bench {
namespace {

std::string value_in(const char* file, const std::string& key, char separator) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const auto at = line.find(separator);
    const auto begin = at == line.npos ? at : line.find_first_not_of(" \t\"", at + 1);
    if (begin == line.npos) continue;
    return line.substr(begin, line.find_last_not_of(" \t\"") - begin + 1);
  }
  return {};
}

std::string today() {
  char text[32];
  const auto now = std::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_machine() {
  utsname u{};
  ::uname(&u);
  const auto memory_gib = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                          static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 30);
  return {
      {"date", today()},
      {"processor", value_in("/proc/cpuinfo", "model name", ':') + ", " +
                        std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) +
                        " cores shared by servers and harness"},
      {"memory", std::to_string(static_cast<int>(memory_gib + 0.5)) + " GiB"},
      {"system", value_in("/etc/os-release", "PRETTY_NAME", '=') + ", Linux " +
                     std::string(u.release).substr(0, std::string(u.release).find('-'))},
      {"nginx", first_line_of("nginx -v")},
      {"nchan", first_line_of("dpkg-query -W -f '${Version}' libnginx-mod-nchan")},
      {"redis", first_line_of("redis-server --version")},
  };
}

}  // namespace soma::bench
