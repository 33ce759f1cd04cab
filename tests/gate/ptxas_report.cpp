#include "gate/ptxas_report.hpp"

#include <regex>

namespace ito::cuda {

std::vector<KernelResources> read_ptxas_log(std::string_view log) {
  static const std::regex entry("Compiling entry function '([^']+)'");
  static const std::regex memory(
      "(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");
  static const std::regex registers("Used (\\d+) registers");
  static const std::regex shared("(\\d+) bytes smem");
  std::vector<KernelResources> kernels;
  for (std::size_t begin = 0; begin < log.size();) {
    const std::size_t end = std::min(log.find('\n', begin), log.size());
    const std::string line(log.substr(begin, end - begin));
    begin = end + 1;
    std::smatch found;
    if (std::regex_search(line, found, entry)) kernels.emplace_back().kernel = found[1];
    if (kernels.empty()) continue;
    KernelResources& kernel = kernels.back();
    if (std::regex_search(line, found, memory)) {
      kernel.stack = std::stoi(found[1]);
      kernel.spill_stores = std::stoi(found[2]);
      kernel.spill_loads = std::stoi(found[3]);
    }
    if (std::regex_search(line, found, registers)) kernel.registers = std::stoi(found[1]);
    if (std::regex_search(line, found, shared)) kernel.shared_memory = std::stoi(found[1]);
  }
  return kernels;
}

}  // namespace ito::cuda
