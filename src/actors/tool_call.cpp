#include "actors/tool_call.hpp"

namespace soma::actors {

tool_call_actor::behavior_type tool_call(tool_call_actor::stateful_pointer<tool_call_state> self,
                                         node_services* node, session_actor session,
                                         tools::tool_caller who, body::tool_call call) {
  auto& s = self->state;
  s.session = std::move(session);
  s.call = std::move(call);
  s.begun = std::chrono::steady_clock::now();
  const tool_call_actor me = self;
  // As long as the tool's own threads hold the sink, whatever becomes of the actor.
  s.runs = node->effects.begin(who.session);
  tools::tool_sink sink;
  sink.on_output = [me, runs = s.runs](std::string stream, std::string text) {
    caf::anon_send(me, tool_text{std::move(stream), std::move(text)});
  };
  sink.on_done = [me](tools::tool_outcome outcome) {
    caf::anon_send(me, tool_outcome_message{std::move(outcome)});
  };
  s.running = node->tools.start(who, s.call, std::move(sink));
  return {
      [self](tool_text& said) {
        auto& s = self->state;
        self->send(s.session,
                   tool_said{{s.call.tool_call_id, std::move(said.stream), std::move(said.text)}});
      },
      [self](tool_outcome_message& end) {
        using namespace std::chrono;
        auto& s = self->state;
        input::tool_done done;
        done.tool_call_id = s.call.tool_call_id;
        done.status = std::move(end.outcome.status);
        done.output_json = std::move(end.outcome.output_json);
        done.error = std::move(end.outcome.error);
        done.duration_ms = static_cast<std::uint64_t>(
            duration_cast<milliseconds>(steady_clock::now() - s.begun).count());
        self->send(s.session, tool_ended{std::move(done)});
        self->quit();
      },
  };
}

}  // namespace soma::actors
