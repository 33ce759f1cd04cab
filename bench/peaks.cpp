#include "peaks.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <vector>

#include <ito/device.hpp>

#include <xsimd/xsimd.hpp>

#include "peak_loops.hpp"

namespace bench {
namespace {

constexpr int runs = 8;

double remembered_rate(const PeakLoop& loop, int threads) {
  static std::map<std::pair<const PeakLoop*, int>, double> rates;
  const auto [at, fresh] = rates.try_emplace({&loop, threads});
  if (fresh) at->second = peak_rate(loop, threads);
  return at->second;
}

const PeakLoops& picked_loops() {
  const auto all = available_loops();
  return **std::find_if(all.begin(), all.end(), [](const PeakLoops* loops) {
    return loops->instruction_set == ito::cpu_instruction_set();
  });
}

}  // namespace

std::span<const PeakLoops* const> available_loops() {
  static const std::vector<const PeakLoops*> loops = [] {
    const auto has = xsimd::available_architectures();
    const bool avx2 = has.avx2 && has.fma3_avx2;
    std::vector<const PeakLoops*> found;
    if (avx2 && has.avx512bw) found.push_back(&avx512_loops);
    if (avx2) found.push_back(&avx2_loops);
    found.push_back(&sse2_loops);
    return found;
  }();
  return loops;
}

double peak_rate(const PeakLoop& loop, int threads) {
  using Clock = std::chrono::steady_clock;
  double rate = 0;
#pragma omp parallel num_threads(threads) reduction(+ : rate)
  {
    double seconds = std::numeric_limits<double>::infinity();
    for (int i = 0; i < runs; ++i) {
      const auto begin = Clock::now();
      loop.run();
      seconds = std::min(seconds, std::chrono::duration<double>(Clock::now() - begin).count());
    }
    rate += loop.count / seconds;
  }
  return rate;
}

double peak_fmas(int threads) { return remembered_rate(picked_loops().fma, threads); }

double peak_activations(int threads, ito::Activation activation) {
  const auto* at = std::find(timed_activations.begin(), timed_activations.end(), activation);
  const auto place = static_cast<std::size_t>(at - timed_activations.begin());
  return remembered_rate(picked_loops().activations.at(place), threads);
}

}  // namespace bench
