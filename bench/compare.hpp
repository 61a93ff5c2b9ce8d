// Two builds of the server in one run: every scenario is measured with the one and the other in
// turn, round by round, base and changed, then changed and base. What a metric's ratio is, how wide
// it is spread, and whether that is more than noise.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "options.hpp"
#include "report.hpp"

namespace soma::bench {

struct scenario {
  const char* name;
  const char* what;
  void (*run)(const options&, report&);
};

struct comparison {
  std::filesystem::path base;  // the other server's binary; its own is options::soma
  std::vector<const scenario*> scenarios;
};

// The page as Markdown; checks of both builds are added to `checks`.
std::string compare_builds(const options& o, const comparison& c, report& checks);

}  // namespace soma::bench
