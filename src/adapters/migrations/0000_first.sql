CREATE TABLE "appraisals" (
	"id" uuid PRIMARY KEY NOT NULL,
	"request_id" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"tenant" text NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"tee" text NOT NULL,
	"verdict" text NOT NULL,
	"status" text NOT NULL,
	"trust_vector" json NOT NULL,
	"findings" json NOT NULL,
	"policy_commit" text NOT NULL,
	"policy_digest" text NOT NULL,
	"manifest" text NOT NULL,
	"reference_value" text,
	"runtime_claims" json NOT NULL,
	"quote" "bytea" NOT NULL,
	"auxblob" "bytea",
	"event_log" "bytea",
	"endorsements_digest" text NOT NULL,
	"token_id" text,
	"token_expires_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "keys" (
	"purpose" text NOT NULL,
	"kid" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"sealed" "bytea" NOT NULL,
	CONSTRAINT "keys_purpose_kid_pk" PRIMARY KEY("purpose","kid")
);
--> statement-breakpoint
CREATE TABLE "used_challenges" (
	"id" text PRIMARY KEY NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "appraisals_tenant_environment_agent_at_index" ON "appraisals" USING btree ("tenant","environment","agent","at");--> statement-breakpoint
CREATE INDEX "used_challenges_expires_at_index" ON "used_challenges" USING btree ("expires_at");