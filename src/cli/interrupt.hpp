#pragma once

namespace ito::cli {

/// From here on the first SIGINT or SIGTERM is only remembered; a second one ends the program at
/// once.
void catch_interrupts();

/// The signal remembered, or 0.
int interrupted_by();

}  // namespace ito::cli
