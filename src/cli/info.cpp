#include <thread>

#include <fmt/format.h>
#include <ito/device.hpp>
#include <ito/version.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace ito::cli {
namespace {

using Json = nlohmann::ordered_json;

Json as_json(const CudaReport& cuda) {
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  Json devices = Json::array();
  for (const CudaReport::Gpu& gpu : cuda.gpus) {
    devices.push_back({{"name", text(gpu.name)},
                       {"compute_capability", gpu.compute_capability},
                       {"multiprocessors", gpu.multiprocessors},
                       {"memory", gpu.memory},
                       {"refusal", text(gpu.refusal)}});
  }
  return {{"devices", devices},
          {"absence", text(cuda.absence)},
          {"driver", text(cuda.driver)},
          {"runtime", text(cuda.runtime)},
          {"nvrtc", text(cuda.compiler)},
          {"nvrtc_file", text(cuda.compiler_file)},
          {"nvrtc_absence", text(cuda.compiler_absence)},
          {"cublas", text(cuda.products)},
          {"cublas_file", text(cuda.products_file)},
          {"cublas_absence", text(cuda.products_absence)},
          {"cache", text(cuda.cache)},
          {"cache_bytes", cuda.cache_bytes},
          {"cache_refusal", text(cuda.cache_refusal)}};
}

std::string kept_kernels(const CudaReport& cuda) {
  constexpr double mebibyte = 1 << 20;
  if (cuda.cache.empty()) return "not kept";
  std::string there =
      fmt::format("{} ({:.1f} MiB)", cuda.cache, static_cast<double>(cuda.cache_bytes) / mebibyte);
  if (cuda.cache_refusal.empty()) return there;
  return fmt::format("{}; more cannot be kept, so every run compiles its own: {}", there,
                     cuda.cache_refusal);
}

std::string as_text(const CudaReport& cuda) {
  constexpr double gibibyte = 1 << 30;
  std::string text;
  if (cuda.gpus.empty()) text += fmt::format("CUDA device      none: {}\n", cuda.absence);
  for (std::size_t i = 0; i < cuda.gpus.size(); ++i) {
    const CudaReport::Gpu& gpu = cuda.gpus[i];
    text += gpu.refusal.empty()
                ? fmt::format("CUDA device {}    {}, sm_{}, {} multiprocessors, {:.0f} GiB\n", i,
                              gpu.name, gpu.compute_capability, gpu.multiprocessors,
                              static_cast<double>(gpu.memory) / gibibyte)
                : fmt::format("CUDA device {}    not usable: {}\n", i, gpu.refusal);
  }
  const auto version = [](const std::string& value) { return value.empty() ? "none" : value; };
  text += fmt::format("CUDA driver      {}\n", version(cuda.driver));
  text += fmt::format("CUDA runtime     {}\n", version(cuda.runtime));
  const auto library = [](const std::string& number, const std::string& file,
                          const std::string& absence) {
    return number.empty() ? "none: " + absence : fmt::format("{} ({})", number, file);
  };
  text += fmt::format("NVRTC            {}\n",
                      library(cuda.compiler, cuda.compiler_file, cuda.compiler_absence));
  text += fmt::format("cuBLAS           {}\n",
                      library(cuda.products, cuda.products_file, cuda.products_absence));
  text += fmt::format("compiled kernels {}\n", kept_kernels(cuda));
  return text;
}

int info(bool json) {
  const unsigned threads = std::thread::hardware_concurrency();
  const CudaReport cuda = cuda_report();
  const Device best = Device::best();
  const bool has_cuda = best.kind() == Device::Kind::cuda;
  if (json) {
    const Json engines = has_cuda ? Json{"cpu", "cuda", "reference"} : Json{"cpu", "reference"};
    const Json object{{"version", version()},          {"engines", engines},
                      {"default_engine", best.name()}, {"instruction_set", cpu_instruction_set()},
                      {"hardware_threads", threads},   {"cuda", as_json(cuda)}};
    print(json_text(object));
    return 0;
  }
  print(fmt::format("ito {}\n", version()));
  print(fmt::format("engines          cpu (float32), {}reference (float64); default {}\n",
                    has_cuda ? "cuda (float32 and float64), " : "", best.name()));
  print(fmt::format("instruction set  {}\n", cpu_instruction_set()));
  print(fmt::format("threads          {}\n", threads));
  print(as_text(cuda));
  return 0;
}

}  // namespace

void add_info(CLI::App& program, Action& action) {
  auto* command =
      program.add_subcommand("info", "Version, engines, instruction set, threads, CUDA");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object");
  command->callback([json, &action] { action = [json] { return info(*json); }; });
}

}  // namespace ito::cli
