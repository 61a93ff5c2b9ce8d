// Turns a provider's answer, streamed or whole, into pieces, tool calls and an end. One subclass a
// wire format; what they share is here. Pure; owned by one stream.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/finish_reason.hpp"
#include "llm/llm_client.hpp"
#include "llm/thought_splitter.hpp"
#include "llm/utf8_joiner.hpp"

namespace soma::llm {

class answer_parser {
 public:
  using on_piece = std::function<void(std::string text, bool thinking)>;
  // Makes a provider's message fit to be shown.
  using clean_text = std::function<std::string(std::string_view)>;

  answer_parser(on_piece piece, clean_text clean);
  virtual ~answer_parser() = default;

  // The data of one event, or a whole answer document. What is blank is passed over.
  void on_data(std::string_view data);

  // Whether a document is looked at while it comes, in place of `on_data` with all of it.
  virtual bool reads_pieces() const { return false; }
  virtual void on_document_piece(std::string_view) {}
  virtual void on_document_end() {}

  // The answer goes on from a text that was given: it does not begin with thinking.
  void goes_on() { thoughts_.pass_all(); }
  // The model's template begins its thinking.
  void begins_in_thought() { thoughts_.begin_inside(); }

  // Nothing more is wanted: the end, an error or rubbish has come.
  bool over() const { return done_ || error_.has_value(); }
  // Why the model stopped is known, so an end of the stream is a good one.
  bool finished() const { return done_ || !finish_reason_.empty(); }
  bool failed() const { return error_.has_value(); }
  // Text, thinking or a tool call has come.
  bool spoke() const { return spoke_; }

  void fail(failure why);

  // The stream is over or has ended; call once.
  stream_end finish();

 protected:
  // Whether a text that grows is one object in brackets so far, whatever is between them: told by
  // looking at each byte once.
  class bracket_count {
   public:
    void add(std::string_view more);
    bool closed() const { return begun_ && depth_ == 0 && !beyond_; }

   private:
    std::size_t depth_ = 0;
    bool begun_ = false, in_text_ = false, escaped_ = false, beyond_ = false;
  };
  struct growing_call {
    std::int64_t index = -1;
    std::string id, name, arguments;
    std::string given;       // inputs that came whole before any piece: pieces take their place
    bracket_count brackets;  // of the arguments
  };
  struct call_piece {
    std::int64_t index = 0;
    std::string_view id, name, arguments;
    bool numbered = false;  // the index is the provider's, not ours
  };

  virtual void on_object(const boost::json::object& event) = 0;
  // The answer is good and over: what is to be kept with it is kept now.
  virtual void before_end() {}

  // Text that begins with thinking in tags is taken apart.
  void give(std::string_view bytes, bool thinking);
  // Adds to the call that the piece belongs to, or begins it. Null past the limits.
  growing_call* grow(const call_piece& piece);
  growing_call* find_call(std::int64_t index);
  // Counts what is kept of calls; false past the limit, which ends the answer.
  bool room_for(std::size_t bytes);
  const std::vector<growing_call>& calls() const { return calls_; }
  void provider_failed(std::int64_t status, std::string_view message, std::string_view kind,
                       std::string_view code);
  // Keeps what the provider wants back with the next call; false past the limit.
  bool keep_state(std::string_view json);

  // In the provider's words until finish(); a subclass's `reason_of` translates.
  std::string finish_reason_;
  soma::usage usage_;
  bool done_ = false;

 private:
  growing_call* call_of(const call_piece& piece);
  static bool name_goes_on(const growing_call& call, const call_piece& piece);
  void give_part(std::string_view bytes, bool thinking);
  void give_held_back();

  on_piece piece_;
  clean_text clean_;
  thought_splitter thoughts_;
  utf8_joiner joiner_;
  bool thinking_ = false, spoke_ = false;
  std::vector<growing_call> calls_;
  std::size_t call_bytes_ = 0;
  std::string state_;  // JSON values, separated by commas
  std::optional<failure> error_;
};

// How subclasses look into an event: what is missing or of another kind is empty, null or 0.
// Numbers that are negative, too large or not whole come as 0, at most limits::tokens_max, rounded
// down.
std::string_view view(const boost::json::string& text);
std::string_view string_member(const boost::json::object& object, std::string_view name);
const boost::json::object* object_member(const boost::json::object& object, std::string_view name);
const boost::json::array* array_member(const boost::json::object& object, std::string_view name);
std::uint64_t count_member(const boost::json::object& object, std::string_view name);
// A whole number, also as text or with a fraction of nothing; `otherwise` where there is none.
std::int64_t index_member(const boost::json::object& object, std::string_view name,
                          std::int64_t otherwise);

}  // namespace soma::llm
