#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include <ito/latent_model.hpp>

#include "inference/latent_shape.hpp"
#include "refusal.hpp"

namespace ito {
namespace {

// Member by member, because GCC 12 warns falsely of uninitialised members where some aggregates
// with vectors are built in place.
FeedbackControl feedback(std::vector<int> hidden, int context, std::vector<int> context_steps) {
  FeedbackControl control;
  control.net.hidden = std::move(hidden);
  control.context = context;
  control.context_steps = std::move(context_steps);
  return control;
}

/// Two times of three numbers, explained by four states, with every part a net.
LatentModel full() {
  LatentModel latent;
  latent.model.state = 4;
  latent.model.grid = uniform_grid(1.0, 8);
  latent.model.save = {4, 8};
  latent.model.drift = Mlp{.hidden = {5}};
  latent.model.control = feedback({5}, 2, {0, 4});
  latent.encoder = MlpEncoder{.net = {.hidden = {7}}, .shift = 0.5, .scale = 2.0};
  latent.decoder = MlpDecoder{.net = {.hidden = {6}}};
  latent.likelihood = Gaussian{.scale = 0.25, .learned = true};
  latent.observed = 3;
  return latent;
}

TEST(LatentShape, TensorsFollowTheModelsOwn) {
  const LatentShape shape = resolve(full());
  const std::size_t own = shape.model.tensors.size();
  std::string names;
  for (std::size_t i = own; i < shape.tensors.size(); ++i) names += shape.tensors[i].name + " ";
  EXPECT_EQ(names,
            "encoder.0.weight encoder.0.bias encoder.1.weight encoder.1.bias decoder.0.weight "
            "decoder.0.bias decoder.1.weight decoder.1.bias likelihood.log_scale ");
  EXPECT_EQ(shape.tensors[own].offset, shape.model.parameters);
  EXPECT_EQ(shape.parameters, shape.log_scale + 1);
}

TEST(LatentShape, ScalesOfEachNumberAreATensorOfAsMany) {
  LatentModel latent = full();
  latent.likelihood = StudentT{.scales = {0.5, 2, 4}, .learned = true};
  const LatentShape shape = resolve(latent);
  EXPECT_EQ(shape.tensors.back().shape, (std::vector<std::size_t>{3}));
  EXPECT_EQ(shape.parameters, shape.log_scale + 3);
  const Parameters parameters = initialize(latent, 3);
  for (const std::size_t j : {0, 1, 2})
    EXPECT_FLOAT_EQ(parameters["likelihood.log_scale"][j],
                    std::log(std::vector{0.5F, 2.F, 4.F}[j]));
  latent.likelihood = StudentT{.scales = {0.5, 2, 4}};
  EXPECT_EQ(resolve(latent).log_scales, 0u);
}

TEST(LatentShape, NetsJoinDataContextAndState) {
  const LatentShape shape = resolve(full());
  EXPECT_EQ(shape.times, 2);
  EXPECT_EQ(shape.observed, 3);
  EXPECT_EQ(shape.encoder->inputs(), 6);   // 2 times · 3 observed
  EXPECT_EQ(shape.encoder->outputs(), 4);  // 2 context steps · 2
  EXPECT_EQ(shape.decoder->inputs(), 4);
  EXPECT_EQ(shape.decoder->outputs(), 3);
  EXPECT_EQ(shape.decoder->time_inputs, 0);
  EXPECT_EQ(shape.decoder->state_inputs, 4);
}

TEST(LatentShape, AnEncoderOfSeriesStandsWhereANetWould) {
  LatentModel latent = full();
  latent.encoder = GruEncoder{.hidden = 5};
  const LatentShape shape = resolve(latent);
  ASSERT_TRUE(shape.sequence_encoder && !shape.encoder);
  EXPECT_EQ(shape.tensors[shape.model.tensors.size()].name, "encoder.gru.weight_ih");
  EXPECT_EQ(shape.tensors[shape.model.tensors.size()].offset, shape.model.parameters);
  EXPECT_EQ(shape.sequence_encoder->context.outputs(), 2);  // of one interval
  EXPECT_FALSE(shape.sequence_encoder->initial);
  const Parameters parameters = initialize(latent, 3);
  for (const char* name : {"encoder.gru.weight_hh", "encoder.out.weight", "decoder.0.weight"})
    EXPECT_TRUE(std::ranges::any_of(parameters[name], [](float w) { return w != 0; })) << name;
}

TEST(LatentShape, HasNoNetsAndNoScaleWhereThereAreNone) {
  LatentModel latent = full();
  latent.model.control = NoControl{};
  latent.encoder = NoEncoder{};
  latent.decoder = IdentityDecoder{};
  latent.observed = 4;
  latent.likelihood = StudentT{};
  const LatentShape shape = resolve(latent);
  EXPECT_FALSE(shape.encoder || shape.decoder || shape.log_scales > 0);
  EXPECT_EQ(shape.parameters, shape.model.parameters);
}

TEST(LatentInitialize, FillsNetsByTheCommonRuleAndTheScaleFromTheDescription) {
  const Parameters parameters = initialize(full(), 3);
  EXPECT_FLOAT_EQ(parameters["likelihood.log_scale"][0], std::log(0.25F));
  for (const char* name : {"encoder.0.weight", "encoder.1.weight", "decoder.1.weight"}) {
    EXPECT_TRUE(std::ranges::any_of(parameters[name], [](float w) { return w != 0; })) << name;
  }
  for (const char* name : {"encoder.1.bias", "decoder.0.bias", "control.1.weight"}) {
    EXPECT_TRUE(std::ranges::all_of(parameters[name], [](float w) { return w == 0; })) << name;
  }
}

TEST(LatentInitialize, TheModelsParametersAreAPrefix) {
  const Parameters all = initialize(full(), 3);
  const Parameters own = initialize(full().model, 3);
  EXPECT_TRUE(std::ranges::equal(own.values(), all.values().first(own.size())));
}

struct Refusal {
  const char* name;
  std::function<void(LatentModel&)> spoil;
  const char* message;
};

class InvalidLatentModel : public testing::TestWithParam<Refusal> {};

TEST_P(InvalidLatentModel, IsRefusedByFieldValueAndWhatIsAccepted) {
  LatentModel latent = full();
  GetParam().spoil(latent);
  EXPECT_EQ(refusal([&] { validated(latent); }), GetParam().message);
}

const Refusal refusals[] = {
    {"model", [](LatentModel& m) { m.model.state = 0; },
     "state: got 0; accepted: integers from 1 to 1024"},
    {"observed", [](LatentModel& m) { m.observed = 0; },
     "observed: got 0; accepted: integers from 1 to 65536"},
    {"size_of_y",
     [](LatentModel& m) {
       m.model.grid = uniform_grid(1.0, 300);
       m.model.save.clear();
       for (int k = 0; k <= 300; ++k) m.model.save.push_back(k);
       m.observed = 65'536;
     },
     "size of y (save steps · observed): got 19726336 numbers; accepted: up to 16777216"},
    {"no_encoder", [](LatentModel& m) { m.encoder = NoEncoder{}; },
     "encoder.kind: got \"none\" with control.context 2; accepted: another kind, or a control "
     "without context"},
    {"encoder_without_context", [](LatentModel& m) { m.model.control = feedback({5}, 0, {}); },
     "encoder.kind: got \"mlp\" with a control that takes no context; accepted: \"none\", or a "
     "control with context above 0"},
    {"identity_encoder_without_control",
     [](LatentModel& m) {
       m.model.control = NoControl{};
       m.encoder = IdentityEncoder{};
     },
     "encoder.kind: got \"identity\" with a control that takes no context; accepted: \"none\", or "
     "a "
     "control with context above 0"},
    {"identity_encoder_size", [](LatentModel& m) { m.encoder = IdentityEncoder{}; },
     "control.context: got 2 for each of 2 context steps; accepted: with an identity encoder 6 in "
     "all, the size of y (save steps · observed)"},
    {"encoder_hidden", [](LatentModel& m) { m.encoder = MlpEncoder{.net = {.hidden = {0}}}; },
     "encoder.hidden[0]: got 0; accepted: integers from 1 to 4096"},
    {"encoder_scale", [](LatentModel& m) { m.encoder = MlpEncoder{.scale = 0}; },
     "encoder.scale: got 0; accepted: nonzero numbers"},
    {"encoder_shift",
     [](LatentModel& m) {
       m.encoder = MlpEncoder{.shift = std::numeric_limits<double>::infinity()};
     },
     "encoder.shift: got inf; accepted: finite float32 numbers"},
    {"gru_without_context",
     [](LatentModel& m) {
       m.model.control = feedback({5}, 0, {});
       m.encoder = GruEncoder{};
     },
     "encoder.kind: got \"gru\" with a control that takes no context; accepted: \"none\", or a "
     "control with context above 0"},
    {"gru_hidden", [](LatentModel& m) { m.encoder = GruEncoder{.hidden = 0}; },
     "encoder.hidden: got 0; accepted: integers from 1 to 1024"},
    {"gru_reads", [](LatentModel& m) { m.encoder = GruEncoder{.reads = -1}; },
     "encoder.reads: got -1; accepted: integers from 0 to 1000000"},
    {"gru_scale", [](LatentModel& m) { m.encoder = GruEncoder{.scale = 0}; },
     "encoder.scale: got 0; accepted: nonzero numbers"},
    {"gru_intervals",
     [](LatentModel& m) {
       m.model.control = feedback({5}, 2, {0, 2, 4});
       m.encoder = GruEncoder{};
     },
     "control.context_steps: got 3 steps; accepted: with encoder.kind \"gru\" as many as the save "
     "steps, 2: 0 and then the save steps but the last"},
    {"attention_intervals",
     [](LatentModel& m) {
       m.model.control = feedback({5}, 2, {});
       m.encoder = AttentionEncoder{};
     },
     "control.context_steps: got 1 steps; accepted: with encoder.kind \"attention\" as many as the "
     "save steps, 2: 0 and then the save steps but the last"},
    {"attention_hidden", [](LatentModel& m) { m.encoder = AttentionEncoder{.hidden = 1025}; },
     "encoder.hidden: got 1025; accepted: integers from 1 to 1024"},
    {"attention_heads",
     [](LatentModel& m) { m.encoder = AttentionEncoder{.hidden = 6, .heads = 4}; },
     "encoder.heads: got 4; accepted: divisors of encoder.hidden, 6"},
    {"attention_no_heads", [](LatentModel& m) { m.encoder = AttentionEncoder{.heads = 0}; },
     "encoder.heads: got 0; accepted: integers from 1 to 64"},
    {"attention_rates", [](LatentModel& m) { m.encoder = AttentionEncoder{.rates = 13}; },
     "encoder.rates: got 13; accepted: integers from 1 to 12"},
    {"identity_decoder", [](LatentModel& m) { m.decoder = IdentityDecoder{}; },
     "observed: got 3; accepted: 4 (the state) with an identity decoder, or an \"mlp\" decoder"},
    {"decoder_exp",
     [](LatentModel& m) { m.decoder = MlpDecoder{.net = {.output = Activation::exp}}; },
     "decoder.output: got exp; accepted: identity, relu, tanh, sigmoid, softplus, silu, lipswish, "
     "gelu, elu (exp is for the output of a diffusion)"},
    {"gaussian_scale", [](LatentModel& m) { m.likelihood = Gaussian{.scale = 0}; },
     "likelihood.scale: got 0; accepted: from 1e-30 to 1e+30"},
    {"gaussian_scales",
     [](LatentModel& m) {
       m.likelihood = Gaussian{.scales = {1, 2}};
     },
     "likelihood.scale: got 2 numbers; accepted: a number, or 3: one for each number of y "
     "(observed)"},
    {"gaussian_second_scale",
     [](LatentModel& m) {
       m.likelihood = Gaussian{.scales = {1, 0, 1}};
     },
     "likelihood.scale[1]: got 0; accepted: from 1e-30 to 1e+30"},
    {"student_scales",
     [](LatentModel& m) {
       m.likelihood = StudentT{.scales = {1, 2, 3, 4}};
     },
     "likelihood.scale: got 4 numbers; accepted: a number, or 3: one for each number of y "
     "(observed)"},
    {"binomial_count", [](LatentModel& m) { m.likelihood = Binomial{0}; },
     "likelihood.count: got 0; accepted: integers from 1 to 16777216"},
    {"student_degrees", [](LatentModel& m) { m.likelihood = StudentT{.degrees = -1}; },
     "likelihood.degrees: got -1; accepted: from 1e-06 to 1e+12"},
    {"student_scale", [](LatentModel& m) { m.likelihood = StudentT{.scale = -1}; },
     "likelihood.scale: got -1; accepted: from 1e-30 to 1e+30"},
};
INSTANTIATE_TEST_SUITE_P(LatentModel, InvalidLatentModel, testing::ValuesIn(refusals),
                         [](const auto& test) { return test.param.name; });

TEST(LatentModel, AnIdentityEncoderFitsWhenContextHoldsY) {
  LatentModel latent = full();
  latent.encoder = IdentityEncoder{};
  latent.model.control = feedback({}, 6, {});
  EXPECT_EQ(refusal([&] { validated(latent); }), "accepted");
  latent.model.control = feedback({}, 3, {0, 4});
  EXPECT_EQ(refusal([&] { validated(latent); }), "accepted");
}

const std::string start = R"({"state": 2, "horizon": 1, "steps": 4, )";
const std::string fed = start + R"("control": {"kind": "feedback", "context": 2}, "observed": 2, )";

TEST(LatentJson, EveryKindRoundTrips) {
  const std::string plain = start + R"("observed": 2, )";
  const std::string poisson = R"("likelihood": {"kind":"poisson"})";
  struct Case {
    std::string before;
    std::string part;
    std::string after;
  };
  const Case cases[] = {
      {plain, R"("likelihood": {"kind":"gaussian","scale":0.1,"learned":true})", ""},
      {plain, R"("likelihood": {"kind":"gaussian","scale":[0.1,2.0],"learned":true})", ""},
      {plain,
       R"("likelihood": {"kind":"student-t","degrees":2.5,"scale":[0.3,0.4],"learned":false})", ""},
      {plain, R"("likelihood": {"kind":"bernoulli"})", ""},
      {plain, R"("likelihood": {"kind":"binomial","count":16})", ""},
      {plain, poisson, ""},
      {plain, R"("likelihood": {"kind":"student-t","degrees":2.5,"scale":0.3,"learned":false})",
       ""},
      {plain, R"("encoder": {"kind":"none"})", ", " + poisson},
      {fed, R"("encoder": {"kind":"identity","shift":0.1,"scale":-2.0})", ", " + poisson},
      {fed,
       R"("encoder": {"kind":"mlp","hidden":[4,3],"activation":"relu","output":"tanh","shift":1.0,"scale":0.5})",
       ", " + poisson},
      {fed,
       R"("encoder": {"kind":"gru","hidden":12,"decay":true,"time":false,"initial":false,"reads":3,"shift":1.0,"scale":0.5})",
       ", " + poisson},
      {fed,
       R"("encoder": {"kind":"attention","hidden":12,"heads":3,"rates":5,"initial":false,"reads":0,"shift":1.0,"scale":0.5})",
       ", " + poisson},
      {plain, R"("decoder": {"kind":"identity"})", ", " + poisson},
      {plain, R"("decoder": {"kind":"mlp","hidden":[],"activation":"tanh","output":"softplus"})",
       ", " + poisson},
  };
  for (const Case& c : cases) {
    const std::string text = to_json(parse_latent_model(c.before + c.part + c.after + "}"));
    EXPECT_NE(text.find(c.part), std::string::npos) << c.part << " is not in " << text;
    EXPECT_EQ(to_json(parse_latent_model(text)), text);
  }
}

TEST(LatentJson, FieldsArriveInTheModel) {
  const LatentModel latent = parse_latent_model(to_json(full()));
  EXPECT_EQ(latent.observed, 3);
  EXPECT_EQ(std::get<MlpEncoder>(latent.encoder).net.hidden, std::vector<int>{7});
  EXPECT_EQ(std::get<MlpEncoder>(latent.encoder).shift, 0.5);
  EXPECT_EQ(std::get<MlpEncoder>(latent.encoder).scale, 2.0);
  EXPECT_EQ(std::get<MlpDecoder>(latent.decoder).net.hidden, std::vector<int>{6});
  EXPECT_EQ(std::get<Gaussian>(latent.likelihood).scale, 0.25);
  EXPECT_TRUE(std::get<Gaussian>(latent.likelihood).learned);
}

TEST(LatentJson, TheModelAloneCanBeReadFromIt) {
  EXPECT_EQ(to_json(parse_model(to_json(full()))), to_json(full().model));
}

TEST(LatentJson, RefusalsNameTheField) {
  struct Case {
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {start + R"("likelihood": {"kind": "poisson"}})",
       "observed: got nothing; accepted: a value: the key is needed"},
      {start + R"("observed": 2})",
       "likelihood: got nothing; accepted: a value: the key is needed"},
      {start + R"("observed": 0})", "observed: got 0; accepted: integers from 1 to 65536"},
      {start + R"("observed": 2, "likelihood": {"kind": "normal"}})",
       "likelihood.kind: got \"normal\"; accepted: \"gaussian\", \"bernoulli\", \"binomial\", "
       "\"poisson\", \"student-t\""},
      {start + R"("observed": 2, "likelihood": {"kind": "gaussian", "scale": []}})",
       "likelihood.scale: got an array of 0; accepted: a number, or one for each number of y"},
      {start + R"("observed": 2, "likelihood": {"kind": "gaussian", "scale": [1, "2"]}})",
       "likelihood.scale[1]: got \"2\"; accepted: a number"},
      {start + R"("observed": 2, "likelihood": {"kind": "gaussian", "scale": [1, 2, 3]}})",
       "likelihood.scale: got 3 numbers; accepted: a number, or 2: one for each number of y "
       "(observed)"},
      {start + R"("observed": 2, "likelihood": {"kind": "binomial"}})",
       "likelihood.count: got nothing; accepted: a value: the key is needed"},
      {start + R"("observed": 2, "likelihood": {"kind": "poisson", "scale": 1}})",
       "likelihood: got unknown key \"scale\"; accepted: kind"},
      {fed + R"("encoder": {"kind": "mlp", "time": true}})",
       "encoder: got unknown key \"time\"; accepted: kind, hidden, activation, output, shift, "
       "scale"},
      {fed + R"("encoder": {"kind": "lstm"}})",
       "encoder.kind: got \"lstm\"; accepted: \"none\", \"identity\", \"mlp\", \"gru\", "
       "\"attention\""},
      {fed + R"("encoder": {"kind": "gru", "heads": 2}})",
       "encoder: got unknown key \"heads\"; accepted: kind, hidden, decay, time, initial, reads, "
       "shift, "
       "scale"},
      {fed + R"("encoder": {"kind": "attention", "decay": true}})",
       "encoder: got unknown key \"decay\"; accepted: kind, hidden, heads, rates, initial, reads, "
       "shift, scale"},
      {start + R"("observed": 2, "decoder": {"kind": "mlp", "time": true}})",
       "decoder: got unknown key \"time\"; accepted: kind, hidden, activation, output"},
      {start + R"("observd": 2})",
       "key: got unknown key \"observd\"; accepted: state, noise, horizon, steps, grid, save, "
       "inputs, input_steps, "
       "initial, drift, diffusion, control, calculus, solver, observed, encoder, decoder, "
       "likelihood"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(refusal([&] { parse_latent_model(c.text); }), c.message) << c.text;
  }
}

}  // namespace
}  // namespace ito
