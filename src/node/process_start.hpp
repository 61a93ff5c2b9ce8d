// What the process is made ready for before it does anything: standard files that are closed, and
// exceptions that nobody catches. Main thread, once.
#pragma once

namespace soma {

// A file that is opened while standard error is closed would take its number, and what is logged.
void open_standard_files();

// What a library throws on a thread of its own, or while a start is being undone, is caught nowhere
// else: says what it was on standard error, and ends with 1. Once a server of this process has
// begun to serve it is a bug, and leaves a core. For std::set_terminate and for main.
[[noreturn]] void end_with_a_sentence();

// From now on the process serves.
void note_started();

}  // namespace soma
