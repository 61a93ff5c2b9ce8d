// Several rankings made into one, and what of it is given. Pure: the same rankings give the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma::memory {

// Constants of the fusion, by which answers can be compared over versions.
inline constexpr double rank_constant = 60, words_weight = 1, parts_weight = 0.5,
                        vectors_weight = 1;
inline constexpr std::size_t of_one_session_max = 3;  // before all others had their turn

struct ranking {
  std::vector<std::string> ids;  // the best first
  double weight = 1;
};
struct fused {
  std::string id;
  double score = 0;
};
// By reciprocal rank: of each ranking weight / (rank_constant + place). Ties by id.
std::vector<fused> fuse(const std::vector<ranking>& rankings);

// The order in which they are given: the best of each session first, so that one long session
// cannot fill the answer; `sessions[i]` is that of the i-th. Gives places in the list.
std::vector<std::size_t> diversified(const std::vector<std::string_view>& sessions);

// What of a text is given where all of it is too long: what stands around the first word of the
// question, cut between characters, with … where there is more.
std::string excerpt(std::string_view text, std::string_view query, std::size_t bytes_max);

}  // namespace soma::memory
