#include <algorithm>
#include <string_view>

#include <ito/ito.hpp>

#include "rows.hpp"

namespace bench {

benchmark::internal::Benchmark* add_row(const std::string& name,
                                        std::function<void(benchmark::State&)> body) {
  return benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace bench

/// Google Benchmark's options, and --full for rows that take long.
int main(int argc, char** argv) {
  char** const end = std::remove(argv, argv + argc, std::string_view("--full"));
  const bool full = end != argv + argc;
  argc = static_cast<int>(end - argv);
  bench::add_peaks();
  bench::add_pieces();
  bench::add_latent_4x64();
  bench::add_errors();
  bench::add_digits();
  bench::add_sweeps(full);
  benchmark::AddCustomContext("instruction_set", ito::cpu_instruction_set());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
