#include "inference/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "inference/checks.hpp"
#include "io/safetensors.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

constexpr std::string_view format_name = "ito-checkpoint-2";

/// Place in the description of a run of the parameters that it began with.
constexpr const char* start_key = "/options/start";

/// FNV-1a of the values' bytes.
template <class Number>
std::uint64_t hash(std::span<const Number> values) {
  std::uint64_t result = 0xcbf29ce484222325u;
  for (const std::byte byte : std::as_bytes(values)) {
    result ^= std::to_integer<std::uint64_t>(byte);
    result *= 0x100000001b3u;
  }
  return result;
}

/// Rows, times, columns and a hash of the values.
std::string describe(const Dataset& data) {
  std::string text = fmt::format("{} rows of {} x {} numbers, hash {:016x}", data.count, data.times,
                                 data.dimension, hash(std::span<const float>(data.values)));
  std::vector<double> numbers;
  for (const ObservationGrid& grid : data.grids) {
    numbers.push_back(static_cast<double>(grid.times.size()));
    numbers.push_back(static_cast<double>(grid.save.size()));
    numbers.insert(numbers.end(), grid.times.begin(), grid.times.end());
    numbers.insert(numbers.end(), grid.save.begin(), grid.save.end());
    numbers.insert(numbers.end(), grid.intervals.begin(), grid.intervals.end());
  }
  if (!data.inputs.empty())
    text += fmt::format(", inputs {:016x}", hash(std::span<const float>(data.inputs)));
  if (!numbers.empty())
    text += fmt::format(", grids {:016x}", hash(std::span<const double>(numbers)));
  return text;
}

constexpr std::array record_numbers{&EpochRecord::elbo,          &EpochRecord::held_out_elbo,
                                    &EpochRecord::held_out_iwae, &EpochRecord::held_out_ess,
                                    &EpochRecord::energy,        &EpochRecord::gradient_norm,
                                    &EpochRecord::learning_rate};
constexpr std::array record_counts{&EpochRecord::epoch, &EpochRecord::non_finite,
                                   &EpochRecord::plan};
constexpr std::size_t record_width = record_counts.size() + record_numbers.size();

constexpr std::array sum_numbers{&EpochSums::elbo,          &EpochSums::energy,
                                 &EpochSums::observations,  &EpochSums::gradient_norm,
                                 &EpochSums::learning_rate, &EpochSums::non_finite};

std::vector<double> pack(const std::vector<EpochRecord>& history) {
  std::vector<double> numbers;
  for (const EpochRecord& record : history) {
    for (const auto member : record_counts) numbers.push_back(static_cast<double>(record.*member));
    for (const auto member : record_numbers) numbers.push_back(record.*member);
  }
  return numbers;
}

std::vector<EpochRecord> unpack(std::span<const double> numbers) {
  std::vector<EpochRecord> history(numbers.size() / record_width);
  for (std::size_t e = 0; e < history.size(); ++e) {
    const auto row = numbers.subspan(e * record_width, record_width);
    for (std::size_t i = 0; i < record_counts.size(); ++i)
      history[e].*record_counts[i] = static_cast<std::size_t>(row[i]);
    for (std::size_t i = 0; i < record_numbers.size(); ++i)
      history[e].*record_numbers[i] = row[record_counts.size() + i];
  }
  return history;
}

/// Throws naming the first entry in which the two descriptions differ.
void check_identity(const std::string& file, const std::string& wanted, const std::string& found) {
  if (wanted == found) return;
  const nlohmann::json now = nlohmann::json::parse(wanted).flatten();
  const auto description = nlohmann::json::parse(found, nullptr, false);
  if (!description.is_object())
    throw Error(fmt::format("checkpoint {}", file), "no description of the run that wrote it",
                "a file that fit wrote");
  nlohmann::json then = description.flatten();
  if (!now.contains(start_key)) then.erase(std::string(start_key));
  std::set<std::string> keys;
  for (const nlohmann::json* object : std::array<const nlohmann::json*, 2>{&now, &then})
    for (const auto& [key, value] : object->items()) keys.insert(key);
  const auto text = [](const nlohmann::json& object, const std::string& key) {
    return object.contains(key) ? object.at(key).dump() : std::string("nothing");
  };
  for (const std::string& key : keys) {
    if (text(now, key) != text(then, key))
      throw Error(fmt::format("checkpoint {}: {}", file, key.substr(1)), text(now, key),
                  text(then, key) + ", with which it was written");
  }
}

/// Throws unless the file is a checkpoint that this version writes.
void check_format(const SafetensorsFile& contents, const std::string& file) {
  const auto format = contents.metadata.find("format");
  const bool checkpoint =
      format != contents.metadata.end() && format->second.starts_with("ito-checkpoint-");
  if (!checkpoint || !contents.metadata.contains("run"))
    throw Error(fmt::format("checkpoint {}", file), "another kind of safetensors file",
                "a file that fit wrote");
  if (format->second != format_name)
    throw Error(fmt::format("checkpoint {}", file),
                fmt::format("one of another version ({})", format->second),
                fmt::format("{}; that fit can only be begun anew", format_name));
}

void check_counter(const std::string& file, std::int64_t counter, std::size_t most) {
  if (counter >= 0 && static_cast<std::uint64_t>(counter) <= most) return;
  throw Error(fmt::format("checkpoint {}", file), fmt::format("a counter of {}", counter),
              "a file that fit wrote");
}

const Array& find(const SafetensorsFile& contents, const std::string& file, const std::string& name,
                  std::size_t size) {
  for (const Array& array : contents.arrays)
    if (array.name == name && (size == 0 || array.size() == size)) return array;
  throw Error(fmt::format("checkpoint {}", file), fmt::format("no array {} of this model", name),
              "a file that fit wrote");
}

}  // namespace

std::string run_identity(const LatentModel& latent, const FitOptions& options,
                         const Dataset& training, const Dataset& held_out) {
  nlohmann::json identity;
  identity["model"] = nlohmann::json::parse(to_json(latent));
  identity["options"] = {{"batch", options.batch},
                         {"samples", options.samples},
                         {"objective", name(options.objective)},
                         {"learning_rate", options.learning_rate},
                         {"schedule", name(options.schedule)},
                         {"warmup_epochs", options.warmup_epochs},
                         {"clip_norm", options.clip_norm},
                         {"annealing_epochs", options.annealing_epochs},
                         {"averaging", options.averaging},
                         {"seed", options.seed},
                         {"device", options.execution.device.name()},
                         {"held_out_samples", options.held_out_samples}};
  // What is as it is by default is left out, so that a checkpoint from before there was a choice
  // says the same.
  if (options.schedule == Schedule::exponential) identity["options"]["decay"] = options.decay;
  if (options.energy_weight != 1) identity["options"]["energy_weight"] = options.energy_weight;
  if (options.annealing_cycles != 1)
    identity["options"]["annealing_cycles"] = options.annealing_cycles;
  if (options.patience > 0) identity["options"]["patience"] = "above 0";
  if (!options.fixed.empty()) identity["options"]["fixed"] = options.fixed;
  if (options.start.size() > 0)
    identity["options"]["start"] =
        fmt::format("hash {:016x}", hash(std::span<const float>(options.start.values())));
  identity["training data"] = describe(training);
  identity["held-out data"] = describe(held_out);
  return identity.dump();
}

void save_checkpoint(const std::filesystem::path& file, const TrainingState& state,
                     const std::string& identity) {
  const std::array counters{
      static_cast<std::int64_t>(state.epoch),       static_cast<std::int64_t>(state.step),
      static_cast<std::int64_t>(state.adam.steps),  static_cast<std::int64_t>(state.plan.number),
      static_cast<std::int64_t>(state.plan.epochs), static_cast<std::int64_t>(state.plan.begin)};
  std::array<double, sum_numbers.size()> sums;
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = state.sums.*sum_numbers[i];
  const std::vector<double> history = pack(state.history);
  const Adam& adam = state.adam;
  const std::size_t count = adam.parameters.size();
  std::vector arrays{
      ArrayView("parameters", {count}, std::span(adam.parameters)),
      ArrayView("average", {count}, std::span(adam.average)),
      ArrayView("adam.first", {count}, std::span(adam.first)),
      ArrayView("adam.second", {count}, std::span(adam.second)),
      ArrayView("rate_before", {1}, std::span(&state.plan.rate_before, 1)),
      ArrayView("counters", {counters.size()}, std::span<const std::int64_t>(counters)),
      ArrayView("epoch_sums", {sums.size()}, std::span<const double>(sums)),
      ArrayView("history", {state.history.size(), record_width}, std::span<const double>(history))};
  if (!state.best.empty()) arrays.emplace_back("best", std::vector{count}, std::span(state.best));
  write_safetensors(file, arrays, {{"format", std::string(format_name)}, {"run", identity}});
}

TrainingState load_checkpoint(const std::filesystem::path& file, std::string& identity,
                              std::size_t parameters) {
  const SafetensorsFile contents = read_safetensors(file);
  check_format(contents, file.string());
  const std::string& run = contents.metadata.at("run");
  check_identity(file.string(), identity, run);
  identity = run;
  const auto array = [&](const char* array_name, std::size_t size) -> const Array& {
    return find(contents, file.string(), array_name, size);
  };
  TrainingState state(parameters);
  state.adam.parameters = array("parameters", parameters).values<double>();
  state.adam.average = array("average", parameters).values<double>();
  state.adam.first = array("adam.first", parameters).values<double>();
  state.adam.second = array("adam.second", parameters).values<double>();
  const auto counters = array("counters", 6).values<std::int64_t>();
  for (const std::size_t of_epochs : {0u, 1u, 4u})
    check_counter(file.string(), counters[of_epochs], count_limit);
  for (const std::size_t of_steps : {2u, 3u, 5u})
    check_counter(file.string(), counters[of_steps], array_limit);
  state.epoch = static_cast<std::uint64_t>(counters[0]);
  state.step = static_cast<std::uint64_t>(counters[1]);
  state.adam.steps = static_cast<std::uint64_t>(counters[2]);
  state.plan = {.number = static_cast<std::uint64_t>(counters[3]),
                .epochs = static_cast<std::uint64_t>(counters[4]),
                .begin = static_cast<std::uint64_t>(counters[5]),
                .rate_before = array("rate_before", 1).values<double>()[0]};
  const auto sums = array("epoch_sums", sum_numbers.size()).values<double>();
  for (std::size_t i = 0; i < sums.size(); ++i) state.sums.*sum_numbers[i] = sums[i];
  state.history = unpack(array("history", 0).values<double>());
  if (std::ranges::find(contents.arrays, "best", &Array::name) != contents.arrays.end())
    state.best = array("best", parameters).values<float>();
  return state;
}

}  // namespace ito
