#pragma once

#pragma GCC visibility push(default)
namespace ito {

/// "major.minor.patch" of the library linked.
const char* version();

}  // namespace ito
#pragma GCC visibility pop
