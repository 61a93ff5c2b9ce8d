// The machine and the programs of a run, as name and value, without anything that names the host
// or its folders.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace soma::bench {

std::vector<std::pair<std::string, std::string>> describe_machine();

}  // namespace soma::bench
