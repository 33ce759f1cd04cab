// Training on series on a CUDA device (the emulated one where there is none) against training on
// the host: rows of different lengths at times of their own, gaps, inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "cuda_training/training_case.hpp"
#include "inference/models.hpp"

namespace ito::test {
namespace {

double normal(std::uint64_t i, std::uint32_t which) {
  return standard_normal(11, i, which, 0, NoiseStream::parameters);
}

/// 11 series of one to so many times, a third of whose numbers are missing, the first never.
SeriesDataset gappy_series(bool inputs, std::uint64_t longest) {
  SeriesDataset data{.columns = {"a", "b"}};
  if (inputs) data.input_columns = {"u", "v"};
  for (std::uint64_t r = 0; r < 11; ++r) {
    Series series{.name = std::to_string(r)};
    double time = 0.1 * normal(r, 0);
    for (std::uint64_t s = 0; s < 1 + (29 * r + 2) % longest; ++s) {
      time += 0.05 + 0.2 * std::abs(normal(10 * r + s, 1));
      series.times.push_back(time);
      for (std::uint32_t j = 0; j < 2; ++j) {
        const bool missing = s + j > 0 && normal(10 * r + s, 4 + j) > 0.43;
        series.values.push_back(missing ? std::numeric_limits<float>::quiet_NaN()
                                        : static_cast<float>(normal(10 * r + s, 2 + j)));
        if (inputs) series.inputs.push_back(static_cast<float>(normal(10 * r + s, 6 + j)));
      }
    }
    data.series.push_back(std::move(series));
  }
  return data;
}

/// Of a diffusion, seen through a net, whose control reads a context unless there is no encoder.
SeriesModel series_model(const Encoder& encoder, int inputs, Likelihood likelihood) {
  const bool context = !std::holds_alternative<NoEncoder>(encoder);
  SeriesModel model;
  model.latent.model = {.state = 2,
                        .grid = {0, 1},
                        .inputs = inputs,
                        .initial = GaussianInitial{{0.1, -0.2}, {0.8, 1.1}},
                        .drift = Mlp{.hidden = {4}},
                        .diffusion = IdentityDiffusion{0.5},
                        .control = FeedbackControl{Mlp{.hidden = {5}}, context ? 3 : 0}};
  model.latent.observed = 2;
  model.latent.encoder = encoder;
  model.latent.decoder = MlpDecoder{Mlp{.hidden = {4}}};
  model.latent.likelihood = std::move(likelihood);
  model.longest_step = 0.15;
  return model;
}

std::vector<TrainingCase> series_cases() {
  std::vector<TrainingCase> cases;
  const auto add = [&](const char* name, const Encoder& encoder, int inputs, auto set,
                       const Likelihood& likelihood = Gaussian{.scale = 0.7, .learned = true},
                       std::uint64_t longest = 5) {
    const auto [latent, data] =
        latent_series(series_model(encoder, inputs, likelihood), gappy_series(inputs > 0, longest));
    FitOptions options = few_steps();
    options.samples = 5;
    set(options);
    options.start = scattered(latent, 3, 0.2);
    cases.push_back({name, latent, data, std::move(options)});
  };
  const auto usual = [](FitOptions&) {};
  add("gaps_without_encoder", NoEncoder{}, 0, usual);
  add(
      "scales_and_inputs_without_encoder", NoEncoder{}, 2,
      [](FitOptions& o) { o.objective = Objective::importance_weighted; },
      StudentT{.degrees = 3, .scales = {0.4, 1.1}, .learned = true});
  add("gru", GruEncoder{.hidden = 6, .shift = 0.3, .scale = 0.7}, 0, usual);
  add("gru_with_decay", GruEncoder{.hidden = 5, .decay = true, .time = false}, 0,
      [](FitOptions& o) { o.objective = Objective::sticking_the_landing, o.clip_norm = 0.5; });
  add("gru_of_inputs", GruEncoder{.hidden = 6, .decay = true}, 2, usual);
  add("gru_of_the_first", GruEncoder{.hidden = 6, .reads = 2}, 0, usual);
  add("gru_and_start", GruEncoder{.hidden = 6, .initial = true}, 0,
      [](FitOptions& o) { o.annealing_epochs = 1.5; });
  add("start_sticking_the_landing", GruEncoder{.hidden = 6, .decay = true, .initial = true}, 2,
      [](FitOptions& o) { o.objective = Objective::sticking_the_landing; });
  add("start_importance_weighted", GruEncoder{.hidden = 6, .initial = true, .reads = 3}, 0,
      [](FitOptions& o) { o.objective = Objective::importance_weighted, o.samples = 40; });
  add(
      "start_partially_importance_weighted",
      GruEncoder{.hidden = 6, .decay = true, .initial = true}, 2,
      [](FitOptions& o) {
        o.objective = Objective::partially_importance_weighted, o.annealing_epochs = 1.5;
      },
      StudentT{.degrees = 3, .scales = {0.4, 1.1}, .learned = true});
  // Scores do not depend on what is added to all keys: the gradient of their biases is rounding
  // alone, by whose size Adam divides it.
  const std::string biases = "encoder.attention.observation.1.bias";
  add("attention", AttentionEncoder{.hidden = 6, .heads = 3, .rates = 3, .scale = 0.7}, 0,
      [&](FitOptions& o) { o.fixed = {biases}; });
  add("attention_of_inputs_and_start", AttentionEncoder{.hidden = 40, .heads = 1, .initial = true},
      2, [&](FitOptions& o) { o.objective = Objective::sticking_the_landing, o.fixed = {biases}; });
  add("attention_of_the_first", AttentionEncoder{.hidden = 4, .rates = 2, .reads = 2}, 0,
      [&](FitOptions& o) { o.fixed = {biases}; });
  // More keys than a warp has lanes, twice.
  add(
      "attention_to_many", AttentionEncoder{.hidden = 6, .initial = true}, 0,
      [&](FitOptions& o) { o.epochs = 1, o.fixed = {biases}; }, Gaussian{.scale = 0.7}, 70);
  return cases;
}

/// Inputs before what an encoder of whole rows gives, all rows on the model's grid.
TrainingCase with_inputs(const char* name, const Encoder& encoder) {
  LatentModel latent = full_model(Gaussian{.scale = 0.7}, 2);
  latent.model.inputs = 3;
  latent.model.input_steps = {0, 3};
  std::get<FeedbackControl>(latent.model.control).context = 4;
  latent.encoder = encoder;
  TrainingCase row{name, validated(latent), counts(20, 2, 2), few_steps()};
  for (std::uint64_t i = 0; i < 120; ++i)
    row.data.inputs.push_back(static_cast<float>(normal(i, 8)));
  row.options.start = scattered(row.latent, 3);
  return row;
}

std::vector<TrainingCase> all_cases() {
  std::vector<TrainingCase> cases = series_cases();
  cases.push_back(with_inputs("inputs_and_mlp", MlpEncoder{.net = Mlp{.hidden = {6}}}));
  cases.push_back(with_inputs("inputs_and_gru", GruEncoder{.hidden = 6}));
  return cases;
}

class SeriesOnCudaAndHost : public CudaTraining,
                            public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Cases, SeriesOnCudaAndHost,
                         ::testing::Range(std::size_t{0}, all_cases().size()),
                         [](const auto& row) { return all_cases()[row.param].name; });

TEST_P(SeriesOnCudaAndHost, AgreeOnTheGradientOfAStep) {
  expect_step_of_the_host(all_cases()[GetParam()]);
}

TEST_P(SeriesOnCudaAndHost, AgreeOnParametersAndHistoryToRounding) {
  const TrainingCase row = all_cases()[GetParam()];
  ASSERT_EQ(row.latent.model.inputs > 0, !row.data.inputs.empty());
  expect_agreement(row);
}

// Blocks of one row.
TEST_F(CudaTraining, BlocksOfSeriesAddUpToTheWholeMinibatch) {
  for (const TrainingCase& row : all_cases()) {
    if (row.name != "start_sticking_the_landing" && row.name != "gaps_without_encoder") continue;
    SCOPED_TRACE(row.name);
    expect_blocks_add_up(row, 1);
  }
}

/// What a step of full_model with that encoder puts on its stream.
std::vector<std::string> nodes_of_a_step(const Encoder& encoder) {
  const auto gpu = std::make_shared<CountingGpu>();
  replace_gpu(gpu);
  const TrainingCase row = with_inputs("nodes", encoder);
  const LatentShape shape = resolve(row.latent);
  TrainingState state(shape.parameters);
  make_cuda_training({row.latent, shape, row.data, row.options, {}}, state, 0);
  replace_gpu(std::make_shared<EmulatedGpu>());
  return gpu->nodes;
}

// Products: the input's and the context's maps and their ways back, and the state's weights.
TEST_F(CudaTraining, ASlotOfAGruIsAProductAndAKernelEachWay) {
  const std::vector<std::string> nodes = nodes_of_a_step(GruEncoder{.hidden = 6});
  const std::ptrdiff_t slots = 2;
  EXPECT_EQ(std::ranges::count(nodes, "ito_gru_step"), slots);
  EXPECT_EQ(std::ranges::count(nodes, "ito_gru_step_back"), slots);
  EXPECT_EQ(std::ranges::count(nodes, "product"), 2 * (slots - 1) + 6);
  EXPECT_EQ(std::ssize(nodes), 4 * slots - 2 + 31);
}

// Products: two layers of keys and values, a layer of queries and one of contexts, and back.
TEST_F(CudaTraining, AttentionIsThreeKernelsBetweenNets) {
  const std::vector<std::string> nodes = nodes_of_a_step(AttentionEncoder{.hidden = 6});
  for (const char* name : {"ito_attend", "ito_attend_back_to_queries", "ito_attend_back_to_keys"})
    EXPECT_EQ(std::ranges::count(nodes, name), 1) << name;
  EXPECT_EQ(std::ranges::count(nodes, "product"), 4 + 3 + 1 + 2);
  EXPECT_EQ(std::ssize(nodes), 43);
}

}  // namespace
}  // namespace ito::test
