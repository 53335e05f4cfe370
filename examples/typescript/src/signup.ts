// A signup: mails by a handler, an account in a transaction, a wait that no process sits through, a signal from outside.
import { defineTask, defineWorkflow } from '@orch/client';

interface Signup {
    email: string;
    pause?: string;
}

export const sendEmail = defineTask('sendEmail', async (task, { to, template }: { to: string; template: string }) => {
    // A real one hands task.idempotencyKey to the mail service, which so knows a repeat.
    task.log(`${template} to ${to}`);
    return { sent: template };
});

export const userSignupFlow = defineWorkflow('userSignupFlow', async (ctx, { email, pause = '1 hour' }: Signup) => {
    await ctx.step(sendEmail, { to: email, template: 'welcome' });
    const now = ctx.now();
    // Committed with the record of the step: exactly once.
    await ctx.step('createAccount', { transaction: true }, async (tx) => {
        await tx.query('insert into account (email, created_at) values ($1, $2)', [email, now]);
    });
    await ctx.wait(pause);
    const confirmed = await ctx.signal<{ code: number }>('confirmed', {
        timeout: '3 days',
    });
    await ctx.step(sendEmail, {
        to: email,
        template: confirmed ? 'follow-up' : 'reminder',
    });
    return { confirmed: confirmed !== null, code: confirmed?.code };
});
