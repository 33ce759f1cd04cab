#include <cstdlib>
#include <fstream>
#include <iterator>

#include "digits.hpp"
#include "model/check.hpp"
#include "rows.hpp"

namespace bench {
namespace {

constexpr std::size_t held_out = 297;

/// One epoch of the demo: encode, simulate, decode, adjoint, Adam.
void train(benchmark::State& state) {
  const auto [latent, training] = read_digits();
  const ito::FitOptions options{.epochs = 1, .warmup_epochs = 0.0, .execution = {.threads = 2}};
  double rate = 0;
  for ([[maybe_unused]] auto _ : state) {
    ito::fit(latent, options, training, {},
             [&](const ito::Progress& progress) { rate = progress.path_steps_per_second; });
  }
  const std::size_t steps = (training.count + options.batch - 1) / options.batch;
  state.counters["path_steps"] = rate;
  state.counters["fit_steps"] =
      benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak_MiB"] = ito::peak_memory() / (1 << 20);
}

}  // namespace

Digits read_digits() {
  const char* elsewhere = std::getenv("ITO_BENCH_DIGITS");  // where the sources have moved
  const std::string folder = elsewhere ? elsewhere : ITO_BENCH_DIGITS;
  std::ifstream file(folder + "/model.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const ito::Dataset all = ito::read_dataset(folder + "/digits.csv");
  return {ito::parse_latent_model(text), all.slice(0, all.count - held_out)};
}

void add_digits() { add_row("digits/threads=2", train); }

}  // namespace bench
