#pragma once

namespace bench {

/// The most memory this process has had resident, MiB.
double peak_memory_mib();

}  // namespace bench
