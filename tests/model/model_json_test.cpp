#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <ito/model.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

std::string with(const std::string& rest) {
  return R"({"state": 2, "horizon": 1, "steps": 4)" + (rest.empty() ? "" : ", " + rest) + "}";
}

TEST(ModelJson, EveryKindRoundTrips) {
  const char* const parts[] = {
      R"("initial": {"kind":"point"})",
      R"("initial": {"kind":"point","value":[0.1,-0.2]})",
      R"("initial": {"kind":"learned","value":[1e-300,3.0]})",
      R"("initial": {"kind":"gaussian","value":[0.0,1.0],"std":[0.3333333333333333,2.0]})",
      R"("drift": {"kind":"zero"})",
      R"("drift": {"kind":"mlp","hidden":[8,4],"activation":"lipswish","output":"tanh","time":false})",
      R"("diffusion": {"kind":"identity","scale":0.1})",
      R"("diffusion": {"kind":"constant","value":[0.1,0.7],"output":"exp","scale":0.5,"floor":1e-06})",
      R"("diffusion": {"kind":"diagonal","hidden":[3],"activation":"silu","output":"sigmoid","time":true,"scale":2.0,"floor":0.01})",
      R"("diffusion": {"kind":"general","hidden":[],"activation":"gelu","output":"identity","time":false,"scale":1.0,"floor":0.0})",
      R"("control": {"kind":"none"})",
      R"("control": {"kind":"constant","value":[1.0,2.0]})",
      R"("control": {"kind":"open-loop","hidden":[5],"activation":"relu","output":"identity","time":true,"context":0})",
      R"("control": {"kind":"feedback","hidden":[5],"activation":"softplus","output":"identity","time":true,"context":7,"context_steps":[0,2]})",
      R"("control": {"kind":"drift","hidden":[5],"activation":"tanh","output":"identity","time":true,"context":1,"context_steps":[0]})",
      R"("save": [0,2,4])",
  };
  for (const char* part : parts) {
    const std::string text = to_json(parse_model(with(part)));
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
    EXPECT_EQ(to_json(parse_model(text)), text);
  }
}

TEST(ModelJson, InputsRoundTrip) {
  const std::string given = with(R"("inputs": 3, "input_steps": [0, 2], "drift": {"kind": "mlp"})");
  const Model model = parse_model(given);
  EXPECT_EQ(model.inputs, 3);
  EXPECT_EQ(model.input_steps, (std::vector<int>{0, 2}));
  const std::string text = to_json(model);
  EXPECT_NE(text.find("\"inputs\": 3,\n  \"input_steps\": [0,2],"), std::string::npos) << text;
  EXPECT_EQ(to_json(parse_model(text)), text);
}

TEST(ModelJson, ReadsSolverAndCalculus) {
  Model model = parse_model(with(R"("solver": "heun", "calculus": "stratonovich")"));
  EXPECT_EQ(model.solver, Solver::heun);
  EXPECT_EQ(model.calculus, Calculus::stratonovich);
  EXPECT_EQ(to_json(parse_model(to_json(model))), to_json(model));
  EXPECT_EQ(refusal([&] { parse_model(with(R"("solver": "rk4")")); }),
            "solver: got \"rk4\"; accepted: euler-maruyama, milstein, heun, midpoint, "
            "reversible-heun, sra1, ri6");
}

TEST(ModelJson, LooksAsDocumented) {
  EXPECT_EQ(to_json(parse_model(with(""))),
            "{\n"
            "  \"state\": 2,\n"
            "  \"noise\": 2,\n"
            "  \"horizon\": 1.0,\n"
            "  \"steps\": 4,\n"
            "  \"save\": [4],\n"
            "  \"initial\": {\"kind\":\"point\"},\n"
            "  \"drift\": {\"kind\":\"zero\"},\n"
            "  \"diffusion\": {\"kind\":\"identity\",\"scale\":1.0},\n"
            "  \"control\": {\"kind\":\"none\"},\n"
            "  \"calculus\": \"ito\",\n"
            "  \"solver\": \"euler-maruyama\"\n"
            "}\n");
}

TEST(ModelJson, FieldsArriveInTheModel) {
  const Model model = parse_model(R"({
    "state": 3, "noise": 2, "grid": [0.5, 1, 4], "save": [1, 2],
    "initial": {"kind": "gaussian", "value": [1, 2, 3], "std": [4, 5, 6]},
    "drift": {"kind": "mlp", "hidden": [9], "activation": "relu", "output": "silu", "time": false},
    "diffusion": {"kind": "general", "hidden": [7], "scale": 0.5, "floor": 0.25},
    "control": {"kind": "feedback", "hidden": [6], "context": 8, "context_steps": [0, 1]}})");
  EXPECT_EQ(model.state, 3);
  EXPECT_EQ(model.noise, 2);
  EXPECT_EQ(model.grid, (std::vector<double>{0.5, 1, 4}));
  EXPECT_EQ(model.save, (std::vector<int>{1, 2}));
  EXPECT_EQ(std::get<GaussianInitial>(model.initial).value, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(std::get<GaussianInitial>(model.initial).std, (std::vector<double>{4, 5, 6}));
  const Mlp& drift = std::get<Mlp>(model.drift);
  EXPECT_EQ(drift.hidden, std::vector<int>{9});
  EXPECT_EQ(drift.activation, Activation::relu);
  EXPECT_EQ(drift.output, Activation::silu);
  EXPECT_FALSE(drift.time);
  const GeneralDiffusion& diffusion = std::get<GeneralDiffusion>(model.diffusion);
  EXPECT_EQ(diffusion.net.hidden, std::vector<int>{7});
  EXPECT_EQ(diffusion.net.output, Activation::identity);
  EXPECT_EQ(diffusion.scale, 0.5);
  EXPECT_EQ(diffusion.floor, 0.25);
  const FeedbackControl& control = std::get<FeedbackControl>(model.control);
  EXPECT_EQ(control.net.hidden, std::vector<int>{6});
  EXPECT_EQ(control.context, 8);
  EXPECT_EQ(control.context_steps, (std::vector<int>{0, 1}));
}

TEST(ModelJson, AbsentKeysAreTheDefaultsOfTheStructs) {
  const Model model = parse_model(with(R"("diffusion": {"kind": "diagonal"})"));
  EXPECT_EQ(std::get<DiagonalDiffusion>(model.diffusion).net.output, Activation::softplus);
  EXPECT_TRUE(std::holds_alternative<PointInitial>(model.initial));
  EXPECT_TRUE(std::holds_alternative<ZeroDrift>(model.drift));
  EXPECT_TRUE(std::holds_alternative<NoControl>(model.control));
}

TEST(ModelJson, GridsRoundTripToTheLastBit) {
  for (const double horizon : {1.0, 0.1, 1.0 / 3, 17.25, 1e-20}) {
    for (const int steps : {1, 3, 49}) {
      Model model;
      model.grid = uniform_grid(horizon, steps);
      EXPECT_NE(to_json(model).find("\"horizon\""), std::string::npos);
      EXPECT_EQ(parse_model(to_json(model)).grid, model.grid) << horizon << " " << steps;
    }
  }
  Model model;
  for (const std::vector<double>& grid : {std::vector<double>{0, 0.1, 0.30000000000000004, 1.0 / 3},
                                          {0.5, 1.0},
                                          {-1, 0, 1},
                                          {-2, -1}}) {
    model.grid = grid;
    EXPECT_NE(to_json(model).find("\"grid\""), std::string::npos);
    EXPECT_EQ(parse_model(to_json(model)).grid, grid);
  }
}

TEST(ModelJson, TheLatentModelsKeysAreLeftAlone) {
  const std::string text =
      with(R"("observed": 3, "encoder": {"kind": "x"}, "decoder": [], "likelihood": null)");
  EXPECT_EQ(to_json(parse_model(text)), to_json(parse_model(with(""))));
}

TEST(ModelJson, AnInvalidModelIsNotWritten) {
  EXPECT_EQ(refusal([] { to_json(Model{}); }),
            "grid: got 0 times; accepted: at least two increasing times");
}

struct Refusal {
  std::string text;
  std::string message;
};

TEST(ModelJson, RefusalsNameTheField) {
  const Refusal refusals[] = {
      {"[]", "the document: got an array of 0; accepted: a JSON object"},
      {"3", "the document: got 3; accepted: a JSON object"},
      {R"({"horizon": 1, "steps": 4})", "state: got nothing; accepted: a value: the key is needed"},
      {R"({"state": 2})", "grid: got nothing; accepted: either grid, or horizon and steps"},
      {R"({"state": 2, "horizon": 1})", "steps: got nothing; accepted: a value: the key is needed"},
      {R"({"state": 2, "steps": 1})", "horizon: got nothing; accepted: a value: the key is needed"},
      {with(R"("grid": [0, 1])"),
       "grid: got grid beside horizon or steps; accepted: either grid, or horizon and steps"},
      {R"({"state": -3})", "state: got -3; accepted: integers from 1 to 1024"},
      {R"({"state": 2.0})", "state: got 2.0; accepted: integers from 1 to 1024"},
      {R"({"state": "2"})", "state: got \"2\"; accepted: integers from 1 to 1024"},
      {R"({"state": true})", "state: got true; accepted: integers from 1 to 1024"},
      {R"({"state": 18446744073709551615})",
       "state: got 18446744073709551615; accepted: integers from 1 to 1024"},
      {R"({"state": 4294967297})", "state: got 4294967297; accepted: integers from 1 to 1024"},
      {with(R"("noise": 0)"), "noise: got 0; accepted: integers from 1 to 1024"},
      {R"({"state": 2, "horizon": "1", "steps": 4})", "horizon: got \"1\"; accepted: a number"},
      {R"({"state": 2, "horizon": 1, "steps": 0})",
       "steps: got 0; accepted: integers from 1 to 10000000"},
      {R"({"state": 2, "grid": 5})", "grid: got 5; accepted: an array of numbers"},
      {R"({"state": 2, "grid": [0, null]})", "grid[1]: got null; accepted: a number"},
      {with(R"("save": 3)"), "save: got 3; accepted: an array of integers"},
      {with(R"("save": [-1])"), "save[0]: got -1; accepted: integers from 0 to 4"},
      {with(R"("save": [1.5])"),
       "save[0]: got 1.5; accepted: integers from -2147483648 to 2147483647"},
      {with(R"("drft": {})"),
       "key: got unknown key \"drft\"; accepted: state, noise, horizon, steps, grid, save, "
       "inputs, input_steps, initial, "
       "drift, diffusion, control, calculus, solver, observed, encoder, decoder, likelihood"},
      {with(R"("drift": [])"), "drift: got an array of 0; accepted: a JSON object"},
      {with(R"("drift": {})"), "drift.kind: got nothing; accepted: a value: the key is needed"},
      {with(R"("drift": {"kind": 1})"), "drift.kind: got 1; accepted: a string"},
      {with(R"("drift": {"kind": "mpl"})"), "drift.kind: got \"mpl\"; accepted: \"zero\", \"mlp\""},
      {with(R"("drift": {"kind": "zero", "hidden": []})"),
       "drift: got unknown key \"hidden\"; accepted: kind"},
      {with(R"("drift": {"kind": "mlp", "hiden": [4]})"),
       "drift: got unknown key \"hiden\"; accepted: kind, hidden, activation, output, time"},
      {with(R"("drift": {"kind": "mlp", "hidden": [4, -3]})"),
       "drift.hidden[1]: got -3; accepted: integers from 1 to 4096"},
      {with(R"("drift": {"kind": "mlp", "time": 1})"),
       "drift.time: got 1; accepted: true or false"},
      {with(R"("drift": {"kind": "mlp", "activation": 1})"),
       "drift.activation: got 1; accepted: a string"},
      {with(R"("initial": {"kind": "point", "std": [1, 1]})"),
       "initial: got unknown key \"std\"; accepted: kind, value"},
      {with(R"("initial": {"kind": "uniform"})"),
       "initial.kind: got \"uniform\"; accepted: \"point\", \"learned\", \"gaussian\""},
      {with(R"("diffusion": {"kind": "scalar"})"),
       "diffusion.kind: got \"scalar\"; accepted: \"identity\", \"constant\", \"diagonal\", "
       "\"general\""},
      {with(R"("diffusion": {"kind": "identity", "floor": 0})"),
       "diffusion: got unknown key \"floor\"; accepted: kind, scale"},
      {with(R"("control": {"kind": "openloop"})"),
       "control.kind: got \"openloop\"; accepted: \"none\", \"constant\", \"open-loop\", "
       "\"feedback\", \"drift\""},
      {with(R"("control": {"kind": "feedback", "context": -1})"),
       "control.context: got -1; accepted: integers from 0 to 65536"},
  };
  for (const Refusal& c : refusals) {
    EXPECT_EQ(refusal([&] { parse_model(c.text); }), c.message) << c.text;
  }
}

TEST(ModelJson, MalformedTextIsRefusedWithItsPlaceOnOneLine) {
  const Refusal refusals[] = {
      {"", "model: not valid JSON: parse error at line 1, column 1: "},
      {"{\n \"state\": 2,\n}", "model: not valid JSON: parse error at line 3, column 1: "},
      {"{\"state\": \n\n tru", "model: not valid JSON: parse error at line 3, column 5: "},
      {"{} x", "model: not valid JSON: parse error at line 1, column 4: "},
      {"{\"state\": NaN}", "model: not valid JSON: parse error at line 1, column 11: "},
      {"{\"\xff\": 1}", "model: not valid JSON: parse error at line 1, column 3: "},
      {"{\"state\": 1e999}", "model: not valid JSON: number overflow parsing '1e999'"},
  };
  for (const Refusal& c : refusals) {
    const std::string message = refusal([&] { parse_model(c.text); });
    EXPECT_TRUE(message.starts_with(c.message)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(ModelJson, DuplicateKeysAreRefusedWhereverTheyAre) {
  EXPECT_EQ(refusal([] { parse_model(R"({"state": 1, "state": 1})"); }),
            "state: got the key twice; accepted: each key once");
  EXPECT_EQ(refusal([] { parse_model(with(R"("drift": {"time": true, "time": true})")); }),
            "drift.time: got the key twice; accepted: each key once");
  // The same key in different objects is no duplicate.
  EXPECT_NO_THROW(parse_model(with(R"("drift": {"kind": "zero"}, "initial": {"kind": "point"})")));
}

TEST(ModelJson, DeepNestingIsRefusedBeforeItHurts) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(refusal([&] { parse_model(deep); }),
            "nesting: got deeper brackets; accepted: up to 64 levels");
}

TEST(ModelJson, NoPrefixOfADescriptionIsAcceptedOrCrashes) {
  const std::string text =
      to_json(parse_model(with(R"("drift": {"kind": "mlp", "hidden": [4]}, "save": [1, 2])")));
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    const std::string message = refusal([&] { parse_model(text.substr(0, length)); });
    EXPECT_TRUE(message.starts_with("model: not valid JSON")) << length << ": " << message;
  }
}

}  // namespace
}  // namespace ito
