// The directive a test writes into a user message. Pure; private to rehearsal.
#pragma once

#include <string>

#include "rehearsal/conversation.hpp"

namespace soma::rehearsal {

// Removes every directive from `text`; the last one is read. Fails naming the key that is wrong.
result<script> take_script(std::string& text);

}  // namespace soma::rehearsal
