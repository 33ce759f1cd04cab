#pragma once

#include <string>

#include "workload.hpp"

namespace bench {

/// Two rows of a workload, forward and gradient. Counters: path_steps and flops (a second), the
/// fraction of the limit reached, peak_MiB (of the process so far, so run one row a process for
/// it), workspace_MiB and the loss.
void add_workload(const std::string& group, const Workload& workload);

}  // namespace bench
